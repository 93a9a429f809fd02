"""What a plan reads, and reading it. In: a plan's root, the query's steps. Out: the samples of each selector.

All selectors of all rules are read together: one read of the store for each time window that they need.
Windows of nearly the same length count as one, very different ones do not, lest one rule over a month make a
thousand rules over five minutes read a month.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.samples import Columns, Ints, is_stale
from rules.language.durations import resolve
from rules.language.errors import QueryTooExpensive
from rules.language.frames import EvaluationLimits, QueryRange, Samples
from rules.language.rows import Rows
from rules.language.syntax import AtModifier, Call, Duration, Expr, RangeSelector, Slot, Subquery, children
from rules.series.protocols import SeriesReader

_SHORT_MS = 900_000
_GROWTH = 4
"""Windows up to `_SHORT_MS` are read together, then those up to four times as long, and so on."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Which samples a selector needs: `start_ms <= timestamp <= end_ms`. `whole`: stale markers too."""

    slot: int
    start_ms: int
    end_ms: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns what the plan says about time into milliseconds."""

    query: QueryRange
    limits: EvaluationLimits

    def duration_ms(self, duration: Duration, *, positive: bool = False) -> int:
        """Milliseconds of a window or offset."""
        query = self.query
        return resolve(
            duration,
            step_s=query.step_ms / 1000,
            range_s=(query.end_ms - query.start_ms) / 1000,
            positive=positive,
        )

    def moments(self, times_ms: Ints, at: AtModifier | None, offset: Duration) -> Ints:
        """Shape (t,). When a selector looks, for each step."""
        if at is not None:
            bounds = {"start": self.query.start_ms, "end": self.query.end_ms}
            times_ms = np.full_like(times_ms, bounds[at] if isinstance(at, str) else at)
        return times_ms - self.duration_ms(offset)

    def inner_times(self, subquery: Subquery, times_ms: Ints) -> Ints:
        """Shape (s,). The aligned steps of a subquery, for all windows that end at its moments."""
        ends = self.moments(times_ms, subquery.at, subquery.offset)
        if len(ends) == 0:  # inside a subquery whose window is shorter than its step
            return ends
        window = self.duration_ms(subquery.window, positive=True)
        step = self.limits.subquery_step_ms
        if subquery.step is not None:
            step = self.duration_ms(subquery.step, positive=True)
        first = (int(ends[0]) - window) // step * step + step
        count = (int(ends[-1]) - first) // step + 1
        if count > self.limits.max_samples:
            raise QueryTooExpensive(what="steps", wanted=count, limit=self.limits.max_samples)
        return np.arange(first, int(ends[-1]) + 1, step, dtype=np.int64)


def demands(expr: Expr, times_ms: Ints, clock: Clock) -> Iterator[Demand]:
    """What each selector of an expression needs when it is evaluated at these steps."""
    if len(times_ms) == 0:
        times_ms = np.zeros(1, np.int64)
    lookback = clock.limits.lookback_ms
    match expr:
        case Slot():
            moments = clock.moments(times_ms, expr.at, expr.offset)
            after = lookback if expr.extension == "smoothed" else 0
            yield Demand(expr.index, int(moments[0]) - lookback + 1, int(moments[-1]) + after, not after)
        case RangeSelector(selector=Slot() as slot):
            moments = clock.moments(times_ms, slot.at, slot.offset)
            before = lookback if slot.extension else 0
            after = lookback if slot.extension == "smoothed" else 0
            window = clock.duration_ms(expr.window, positive=True)
            yield Demand(slot.index, int(moments[0]) - window - before + 1, int(moments[-1]) + after, False)
        case Subquery():
            yield from demands(expr.expr, clock.inner_times(expr, times_ms), clock)
        case Call() | _:
            for part in children(expr):
                yield from demands(part, times_ms, clock)


@dataclass(frozen=True, slots=True)
class Request:
    """A selector's demand, and the series it found: their numbers, and the rows they are."""

    demand: Demand
    numbers: Ints
    rows: Rows


class Layout:
    """Which requests are read together, and where their series lie in the read."""

    def __init__(self, requests: Sequence[Request], moment_ms: int) -> None:
        groups: dict[tuple[int, int], list[int]] = {}
        for position, request in enumerate(requests):
            groups.setdefault(_read_key(request.demand, moment_ms), []).append(position)
        self._groups = [_Group(requests, positions) for positions in groups.values()]

    def read(self, reader: SeriesReader, requests: Sequence[Request]) -> list[Samples]:
        """For each request its samples."""
        found: dict[int, Samples] = {}
        for group in self._groups:
            found.update(group.read(reader, requests))
        return [found[position] for position in range(len(requests))]


def _read_key(demand: Demand, moment_ms: int) -> tuple[int, int]:
    """Equal for demands that are read together: same end, lengths in one class."""
    length, size, level = demand.end_ms - demand.start_ms, _SHORT_MS, 0
    while length > size:
        size *= _GROWTH
        level += 1
    return (demand.end_ms - moment_ms, level)


class _Group:
    """Requests that share a read."""

    def __init__(self, requests: Sequence[Request], positions: list[int]) -> None:
        self._positions = positions
        numbers = [requests[position].numbers for position in positions]
        self._union = numbers[0] if len(numbers) == 1 else np.concatenate(numbers)
        ordered = np.unique(self._union)
        # The series of one selector, or of many without overlap, are often in order already.
        self._places: list[Ints] | None = None
        if len(ordered) != len(self._union) or not np.array_equal(ordered, self._union):
            self._places = [np.searchsorted(ordered, part) for part in numbers]
            self._union = ordered
        self._bounds = np.cumsum([0, *map(len, numbers)]).tolist()

    def read(self, reader: SeriesReader, requests: Sequence[Request]) -> Iterator[tuple[int, Samples]]:
        """Read once for all requests of this place; each with its samples."""
        demanded = [requests[position].demand for position in self._positions]
        start = min(demand.start_ms for demand in demanded)
        columns = reader.read(self._union, start, demanded[0].end_ms) if len(self._union) else Columns.empty()
        live: Columns | None = None
        for index, position in enumerate(self._positions):
            source = columns
            if not requests[position].demand.whole:
                live = live or without_stale(columns)
                source = live
            starts, stops = self._extents(source, index)
            yield (
                position,
                Samples(requests[position].rows, starts, stops, source.timestamps_ms, source.values),
            )

    def _extents(self, columns: Columns, index: int) -> tuple[Ints, Ints]:
        if self._places is None:
            low, high = self._bounds[index], self._bounds[index + 1]
            return columns.offsets[low:high], columns.offsets[low + 1 : high + 1]
        places = self._places[index]
        return columns.offsets[places], columns.offsets[places + 1]


def without_stale(columns: Columns) -> Columns:
    """The samples that are no stale markers."""
    marks = is_stale(columns.values)
    if not marks.any():
        return columns
    gone = np.concatenate([[0], np.cumsum(marks)])
    offsets = columns.offsets - gone[columns.offsets]
    return Columns(offsets, columns.timestamps_ms[~marks], columns.values[~marks])
