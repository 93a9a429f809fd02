"""On-call schedules: who is asked at a time.

In: layers of rotations, restrictions, overrides; times in milliseconds. Out: the members on call, and the
shifts of a span. Hand-overs and restrictions go by the wall clock of the layer's zone: a weekly hand-over
at nine stays at nine when daylight saving begins; one in the hour that is skipped happens at the offset
before it. A later layer comes before an earlier one wherever it has somebody, and an override before all.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alertsite.core.errors import PlatformError

MAX_SPAN_MS = 400 * 86_400_000
MAX_LAYERS = 20
MIN_PERIOD = timedelta(hours=1)
_DAY_MINUTES = 24 * 60
_SECOND_MS = 1000


class InvalidSchedule(PlatformError):
    """An on-call schedule is malformed, or asked for too long a span."""

    code = "schedule.invalid"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Hours of the day, by the wall clock; over midnight when the end is not after the begin. Weekdays
    count from Monday, 0, and are those of the begin; none means all.
    """

    begin_minute: int
    end_minute: int
    weekdays: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for minute in (self.begin_minute, self.end_minute):
            if not 0 <= minute <= _DAY_MINUTES:
                raise InvalidSchedule(f"minute of the day is {minute}, accepts 0 to {_DAY_MINUTES}")
        if not self.weekdays <= frozenset(range(7)):
            raise InvalidSchedule(f"weekdays are {sorted(self.weekdays)}, accepts 0 to 6")

    def contains(self, local: datetime) -> bool:
        """Whether this wall-clock time lies inside."""
        minute = local.hour * 60 + local.minute
        if self.begin_minute < self.end_minute:
            return self.begin_minute <= minute < self.end_minute and self._on(local)
        if minute >= self.begin_minute:
            return self._on(local)
        return minute < self.end_minute and self._on(local - timedelta(days=1))

    def _on(self, local: datetime) -> bool:
        return not self.weekdays or local.weekday() in self.weekdays


@dataclass(frozen=True, slots=True)
class Layer:
    """Members who take turns of `period`, beginning with the first at `begin_ms`; that is the hand-over
    time.
    """

    members: tuple[str, ...]
    begin_ms: int
    period: timedelta
    timezone: str = "UTC"
    restrictions: tuple[Restriction, ...] = ()
    end_ms: int | None = None
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.members:
            raise InvalidSchedule("a layer has no members")
        if self.period < MIN_PERIOD:
            raise InvalidSchedule(f"rotation is {self.period}, accepts {MIN_PERIOD} and more")
        try:
            object.__setattr__(self, "_zone", ZoneInfo(self.timezone))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidSchedule(f"unknown time zone {self.timezone!r}") from None

    def member(self, at_ms: int) -> str | None:
        """Whose turn it is; nobody's outside the layer's time and restrictions."""
        if at_ms < self.begin_ms or (self.end_ms is not None and at_ms >= self.end_ms):
            return None
        if self.restrictions and not any(one.contains(self._local(at_ms)) for one in self.restrictions):
            return None
        return self.members[self._turn(at_ms) % len(self.members)]

    def cuts(self, from_ms: int, to_ms: int) -> Iterator[int]:
        """Every time in the span at which the answer of `member` may change."""
        yield self.begin_ms
        if self.end_ms is not None:
            yield self.end_ms
        turn = self._turn(max(from_ms, self.begin_ms))
        while (hand_over_ms := self._instant(self._hand_over(turn))) < to_ms:
            yield hand_over_ms
            turn += 1
        if self.restrictions:
            yield from self._restriction_cuts(from_ms, to_ms)

    def _restriction_cuts(self, from_ms: int, to_ms: int) -> Iterator[int]:
        day = self._local(from_ms).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        last = self._local(to_ms)
        minutes = {m for one in self.restrictions for m in (one.begin_minute, one.end_minute)} | {0}
        while day <= last:
            for minute in minutes:
                local = day + timedelta(minutes=minute)
                yield self._instant(local)
                yield self._instant(local.replace(fold=1))
            yield from self._jump(self._instant(day), self._instant(day + timedelta(days=1)))
            day += timedelta(days=1)

    def _jump(self, begin_ms: int, end_ms: int) -> Iterator[int]:
        """When the zone's offset changes in between, if it does."""
        if self._offset(begin_ms) == self._offset(end_ms):
            return
        before = self._offset(begin_ms)
        while end_ms - begin_ms > _SECOND_MS:
            middle_ms = (begin_ms + end_ms) // 2 // _SECOND_MS * _SECOND_MS
            if self._offset(middle_ms) == before:
                begin_ms = middle_ms
            else:
                end_ms = middle_ms
        yield end_ms

    def _turn(self, at_ms: int) -> int:
        """How many hand-overs there were; the wall clock is ambiguous once a year, the instants decide."""
        turn = (self._local(at_ms) - self._local(self.begin_ms)) // self.period + 1
        while self._instant(self._hand_over(turn)) > at_ms:
            turn -= 1
        return turn

    def _hand_over(self, turn: int) -> datetime:
        return self._local(self.begin_ms) + turn * self.period

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _instant(self, local: datetime) -> int:
        return round(local.replace(tzinfo=self._zone).timestamp() * 1000)

    def _offset(self, at_ms: int) -> timedelta | None:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).utcoffset()


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody takes over for a time; the end is excluded."""

    member: str
    begin_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.begin_ms >= self.end_ms:
            raise InvalidSchedule(f"override of {self.member!r} ends at {self.end_ms}, before it begins")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Layers, the later before the earlier, and overrides before all."""

    layers: tuple[Layer, ...]
    overrides: tuple[Override, ...] = ()

    def __post_init__(self) -> None:
        if len(self.layers) > MAX_LAYERS:
            raise InvalidSchedule(f"schedule has {len(self.layers)} layers, limit is {MAX_LAYERS}")


@dataclass(frozen=True, slots=True)
class Shift:
    """Members on call for a time; the end is excluded."""

    members: tuple[str, ...]
    begin_ms: int
    end_ms: int


def on_call(schedule: Schedule, at_ms: int) -> tuple[str, ...]:
    """Who is on call: those of the overrides, else the turn of the last layer that has one; perhaps
    nobody.
    """
    overriding = tuple(
        dict.fromkeys(one.member for one in schedule.overrides if one.begin_ms <= at_ms < one.end_ms)
    )
    if overriding:
        return overriding
    for layer in reversed(schedule.layers):
        member = layer.member(at_ms)
        if member is not None:
            return (member,)
    return ()


def uncovered(overrides: Iterable[Override], by: Sequence[Override]) -> tuple[Override, ...]:
    """What is left of overrides where those in `by` come before them."""
    left = list(overrides)
    for taken in by:
        left = [part for one in left for part in _without(one, taken)]
    return tuple(left)


def _without(one: Override, taken: Override) -> Iterator[Override]:
    if one.begin_ms < min(one.end_ms, taken.begin_ms):
        yield Override(one.member, one.begin_ms, min(one.end_ms, taken.begin_ms))
    if max(one.begin_ms, taken.end_ms) < one.end_ms:
        yield Override(one.member, max(one.begin_ms, taken.end_ms), one.end_ms)


def shifts(schedule: Schedule, from_ms: int, to_ms: int) -> tuple[Shift, ...]:
    """The shifts of a span, cut to it, in order; times when nobody is on call are left out.

    Raises
    ------
    InvalidSchedule
        If the span is longer than `MAX_SPAN_MS`.
    """
    if to_ms - from_ms > MAX_SPAN_MS:
        raise InvalidSchedule(f"span is {to_ms - from_ms} ms, limit is {MAX_SPAN_MS}")
    cuts = {from_ms, to_ms}
    for override in schedule.overrides:
        cuts |= {override.begin_ms, override.end_ms}
    for layer in schedule.layers:
        cuts.update(layer.cuts(from_ms, to_ms))
    moments = sorted(at_ms for at_ms in cuts if from_ms <= at_ms <= to_ms)
    found: list[Shift] = []
    for begin_ms, end_ms in itertools.pairwise(moments):
        members = on_call(schedule, begin_ms)
        if found and found[-1].members == members and found[-1].end_ms == begin_ms:
            found[-1] = Shift(members, found[-1].begin_ms, end_ms)
        elif members:
            found.append(Shift(members, begin_ms, end_ms))
    return tuple(found)
