"""What is taken back, in which order.

In: the actions that were accepted, in the order in which they ended. Out: those to take back, the last
first. An action that failed after it was accepted may have done a part of its work, and is taken back as
well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

UNDO: Final = "undo:"
"""Begins the key of a step that takes another back."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """An action that the provider took."""

    key: str
    ended_ms: int
    has_inverse: bool
    undo: bool
    """Whether the playbook wants it taken back."""


def to_take_back(done: Sequence[Accepted]) -> list[str]:
    """Keys of the actions to take back, the last first."""
    wanted = [one for one in done if one.has_inverse and one.undo]
    return [one.key for one in sorted(wanted, key=lambda one: (one.ended_ms, one.key), reverse=True)]
