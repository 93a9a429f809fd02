"""Series as they were over one span of time, and a store of one's own laid over them.

For replays: thousands of ticks read the same samples, so they are read once (`SnapshotSeries`); what the
replayed rules write goes into memory and is read together with them (`OverlaySeries`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Columns, Ints
from rules.series.backends.memory import MemorySeries
from rules.series.backends.postings import Postings
from rules.series.protocols import SeriesReader


class SnapshotSeries:
    """Reader over columns that stay as they are. Numbers are positions in the columns."""

    def __init__(self, label_sets: Sequence[LabelSet], columns: Columns) -> None:
        self._postings = Postings()
        self._postings.add(enumerate(label_sets))
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns)

    def generation(self) -> int:
        """Always the same."""
        return 0

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher."""
        return self._postings.select(matchers)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked."""
        return [self._postings.labels[number] for number in numbers.tolist()]

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series with `start_ms <= timestamp <= end_ms`."""
        columns = self._columns
        low, high = columns.offsets[numbers], columns.offsets[numbers + 1]
        low = _first_from(columns.timestamps_ms, low, high, start_ms)
        high = _first_from(columns.timestamps_ms, low, high, end_ms + 1)
        offsets = np.concatenate(([0], np.cumsum(high - low)))
        index = np.repeat(low - offsets[:-1], high - low) + np.arange(offsets[-1])
        return Columns(offsets, columns.timestamps_ms[index], columns.values[index])


def _first_from(timestamps_ms: Ints, low: Ints, high: Ints, moment_ms: int) -> Ints:
    """Shape of `low`: for each series the first position at or after a moment; bisection of all at once."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) // 2
        early = open_ & (timestamps_ms[np.where(open_, middle, 0)] < moment_ms)
        low = np.where(early, middle + 1, low)
        high = np.where(open_ & ~early, middle, high)
    return low


class OverlaySeries:
    """Reader over a base that never changes and a store that grows. No series may be in both."""

    def __init__(self, base: SnapshotSeries, own: MemorySeries) -> None:
        self._sources: tuple[SeriesReader, SeriesReader] = (base, own)
        self._first_own = len(base)
        self.samples_read = 0
        """How many samples have been handed out."""

    def generation(self) -> int:
        """That of the store that grows."""
        return self._sources[1].generation()

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher: those of the base first."""
        base, own = (source.select(matchers) for source in self._sources)
        return np.concatenate([base, own + self._first_own])

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked."""
        found = [self._sources[number >= self._first_own] for number in numbers.tolist()]
        places = np.where(numbers >= self._first_own, numbers - self._first_own, numbers)
        return [source.labels(places[at : at + 1])[0] for at, source in enumerate(found)]

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series with `start_ms <= timestamp <= end_ms`; numbers ascending, as `select`
        gives them.
        """
        split = int(np.searchsorted(numbers, self._first_own))
        columns = self._sources[0].read(numbers[:split], start_ms, end_ms)
        if split < len(numbers):
            own = self._sources[1].read(numbers[split:] - self._first_own, start_ms, end_ms)
            columns = _joined(columns, own)
        self.samples_read += len(columns.values)
        return columns


def _joined(first: Columns, second: Columns) -> Columns:
    """The series of one after those of the other."""
    return Columns(
        np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]]),
        np.concatenate([first.timestamps_ms, second.timestamps_ms]),
        np.concatenate([first.values, second.values]),
    )
