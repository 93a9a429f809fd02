"""What a provider in memory holds, what it was asked, and how it is made to fail.

Worlds are found by name, so that a test and the adapter see the same one. Nothing is shared between
processes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong once: in `look`, `act`, `happened` or `progress`, before it has an effect or after."""

    phase: str
    error: BaseException
    after: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that was done."""

    key: str
    word: str
    parameters: Mapping[str, Any]


@dataclass(slots=True)
class World:
    """One account's infrastructure. `things` are sizes or counts, by name; what is not there is gone."""

    things: dict[str, int] = field(default_factory=dict)
    group_size: int | None = None
    faults: list[Fault] = field(default_factory=list)
    polls: int = 0
    """How often `progress` says that it is under way."""
    failing: set[str] = field(default_factory=set)
    """Words that are accepted and then fail."""
    asked: Counter[str] = field(default_factory=Counter)
    """Calls of `act` that reached the provider, by key."""
    effects: list[Effect] = field(default_factory=list)
    polled: Counter[str] = field(default_factory=Counter)
    lock: RLock = field(default_factory=RLock)

    def fail(self, phase: str, error: BaseException, *, after: bool = False) -> None:
        """Have the next call of this phase fail."""
        self.faults.append(Fault(phase, error, after))

    def trip(self, phase: str, *, after: bool) -> None:
        """Raise the fault that waits for this moment, if one does."""
        for fault in self.faults:
            if (fault.phase, fault.after) == (phase, after):
                self.faults.remove(fault)
                raise fault.error

    def done(self, word: str) -> list[Effect]:
        """What was done by a word."""
        return [effect for effect in self.effects if effect.word == word]


_worlds: dict[str, World] = {}


def world(name: str) -> World:
    """The world of a name, made when it is first asked for."""
    return _worlds.setdefault(name, World())


def forget(name: str) -> None:
    """End a world."""
    _worlds.pop(name, None)
