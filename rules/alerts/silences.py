"""Silences: a person keeps alerts quiet for a time, once or again and again.

In: silences and label sets, times in milliseconds. Out: whether a silence covers an alert, with the
reason; and, of many silences, the first that does. A silence that waits for its approver covers nothing.
Its end is exclusive: it expires at that very millisecond.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rules.alerts.matchers import Matchers, equalities, matches_all
from rules.alerts.recurrence import Recurrence

_Key: TypeAlias = tuple[str, str]


class SilenceState(enum.StrEnum):
    """Where a silence stands in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class SilenceVerdict(enum.StrEnum):
    """Why a silence covers an alert, or does not."""

    COVERS = "covers"
    NOT_MATCHED = "not_matched"
    NOT_APPROVED = "not_approved"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    BETWEEN_OCCURRENCES = "between_occurrences"


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that satisfy all matchers are quiet from start to end; with a recurrence, only in its
    windows.
    """

    id: str
    matchers: Matchers
    starts_ms: int
    ends_ms: int
    recurrence: Recurrence | None = None
    approved: bool = True
    comment: str = ""
    author: str = ""


def state(silence: Silence, at_ms: int) -> SilenceState:
    """Where the silence stands; a recurring one is active from its start to its end."""
    if at_ms < silence.starts_ms:
        return SilenceState.PENDING
    return SilenceState.ACTIVE if at_ms < silence.ends_ms else SilenceState.EXPIRED


def covers(silence: Silence, labels: Mapping[str, str], at_ms: int) -> SilenceVerdict:
    """Whether the silence keeps this label set quiet at this time."""
    if not matches_all(silence.matchers, labels):
        return SilenceVerdict.NOT_MATCHED
    return standing(silence, at_ms)


def standing(silence: Silence, at_ms: int) -> SilenceVerdict:
    """Whether the silence keeps anything quiet at this time: COVERS, or why not."""
    if not silence.approved:
        return SilenceVerdict.NOT_APPROVED
    life = state(silence, at_ms)
    if life is SilenceState.PENDING:
        return SilenceVerdict.NOT_STARTED
    if life is SilenceState.EXPIRED:
        return SilenceVerdict.EXPIRED
    if silence.recurrence is not None and not silence.recurrence.holds(silence.starts_ms, at_ms):
        return SilenceVerdict.BETWEEN_OCCURRENCES
    return SilenceVerdict.COVERS


class SilenceIndex:
    """Finds the silence that covers a label set without trying them all.

    A silence lies in the bucket of its rarest equality matcher; a label set looks into the buckets of its own
    labels and into the few silences without one.
    """

    def __init__(self, silences: Sequence[Silence]) -> None:
        self._silences = silences
        keys = [equalities(silence.matchers) for silence in silences]
        counts = Counter(key for of_one in keys for key in of_one)
        self._buckets: dict[_Key, list[int]] = defaultdict(list)
        self._anywhere: list[int] = []
        for position, of_one in enumerate(keys):
            if of_one:
                self._buckets[min(of_one, key=lambda key: counts[key])].append(position)
            else:
                self._anywhere.append(position)
        self._awake_at_ms: int | None = None
        self._awake: frozenset[int] = frozenset()

    def find(self, labels: Mapping[str, str], at_ms: int) -> Silence | None:
        """The first silence, in their order, that covers the label set now."""
        awake = self._awake_positions(at_ms)
        if not awake:
            return None
        candidates = self._anywhere
        for pair in labels.items():
            if pair in self._buckets:
                candidates = sorted([*candidates, *self._buckets[pair]])
        for position in candidates:
            if position in awake and matches_all(self._silences[position].matchers, labels):
                return self._silences[position]
        return None

    def _awake_positions(self, at_ms: int) -> frozenset[int]:
        """Those that keep anything quiet now; remembered, since a flush asks for all members at one time."""
        if self._awake_at_ms != at_ms:
            self._awake = frozenset(
                position
                for position, silence in enumerate(self._silences)
                if standing(silence, at_ms) is SilenceVerdict.COVERS
            )
            self._awake_at_ms = at_ms
        return self._awake
