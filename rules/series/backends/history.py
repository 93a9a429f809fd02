"""Reading archived blocks, alone (`ArchiveSeries`) or together with the hot store (`MergedSeries`).

For queries over history, back-tests and training: what comes in are encoded blocks from a `BlockSource`, what
goes out is what the hot store would have said. Numbers are each reader's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Columns, Floats, Ints
from rules.series.backends.archive import decode_block_columns, decode_block_labels, read_head
from rules.series.backends.postings import Postings
from rules.series.encoding import decode_labels
from rules.series.protocols import SeriesReader

_DECODED_KEPT: Final = 4


class BlockSource(Protocol):
    """Where a tenant's archived blocks lie."""

    def blocks(self, start_ms: int, end_ms: int) -> Iterable[bytes]:
        """Encoded blocks with samples in `start_ms <= timestamp <= end_ms`, oldest first."""


@dataclass(frozen=True, slots=True)
class _Archived:
    start_ms: int
    end_ms: int
    encoded: bytes
    numbers: Ints
    """Shape (n,). The reader's number of each series of the block."""


class ArchiveSeries:
    """Reader over the archived blocks of one span of time, as they were when it was made."""

    def __init__(self, source: BlockSource, start_ms: int, end_ms: int) -> None:
        self._postings = Postings()
        self._blocks: list[_Archived] = []
        self._decoded: dict[int, Columns] = {}
        numbers: dict[bytes, int] = {}
        for encoded in source.blocks(start_ms, end_ms):
            labels = decode_block_labels(encoded)
            own = np.fromiter(
                (numbers.setdefault(key, len(numbers)) for key in labels), np.int64, len(labels)
            )
            head = read_head(encoded)
            self._blocks.append(_Archived(head.start_ms, head.end_ms, encoded, own))
        pairs: dict[bytes, tuple[str, str]] = {}
        self._postings.add((number, decode_labels(key, pairs)) for key, number in numbers.items())

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
        place = np.full(len(self._postings), -1)
        place[numbers] = np.arange(len(numbers))
        pieces = []
        for position, block in enumerate(self._blocks):
            if block.end_ms > start_ms and block.start_ms <= end_ms:
                rows = np.flatnonzero(place[block.numbers] >= 0)
                taken = _take(self._columns(position), rows)
                pieces.append(_relabel(taken, place[block.numbers[rows]]))
        return _merge(pieces, len(numbers), start_ms, end_ms)

    def _columns(self, position: int) -> Columns:
        """The samples of a block; the last few are kept, since a replay reads tick by tick."""
        columns = self._decoded.pop(position, None)
        if columns is None:
            columns = decode_block_columns(self._blocks[position].encoded)
            if len(self._decoded) >= _DECODED_KEPT:
                del self._decoded[next(iter(self._decoded))]
        self._decoded[position] = columns
        return columns


class MergedSeries:
    """Reader over an archive and what is still hot. Of two samples at one time the hot one counts."""

    def __init__(self, hot: SeriesReader, archive: SeriesReader) -> None:
        self._sources = (archive, hot)
        self._numbers: dict[LabelSet, int] = {}
        self._labels: list[LabelSet] = []
        self._inner: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._generations = [source.generation() for source in self._sources]

    def generation(self) -> int:
        """Changes when either source's does."""
        for position, source in enumerate(self._sources):
            generation = source.generation()
            if generation != self._generations[position]:
                self._generations[position] = generation
                self._inner[position].clear()
        return hash(tuple(self._generations))

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher in either source."""
        self.generation()
        found: set[int] = set()
        for source, inner in zip(self._sources, self._inner, strict=True):
            numbers = source.select(matchers)
            for number, labels in zip(numbers.tolist(), source.labels(numbers), strict=True):
                own = self._numbers.setdefault(labels, len(self._labels))
                if own == len(self._labels):
                    self._labels.append(labels)
                inner[own] = number
                found.add(own)
        return np.array(sorted(found), np.int64)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked."""
        return [self._labels[number] for number in numbers.tolist()]

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series with `start_ms <= timestamp <= end_ms`, from both sources."""
        pieces = []
        for source, inner in zip(self._sources, self._inner, strict=True):
            known = [(place, inner[own]) for place, own in enumerate(numbers.tolist()) if own in inner]
            if known:
                places, wanted = np.array(known, np.int64).T.copy()
                pieces.append(_relabel(source.read(wanted, start_ms, end_ms), places))
        return _merge(pieces, len(numbers), start_ms, end_ms)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Samples, each with the place of its series in the answer."""

    places: Ints
    timestamps_ms: Ints
    values: Floats


def _take(columns: Columns, rows: Ints) -> Columns:
    """These series of the columns."""
    counts = np.diff(columns.offsets)[rows]
    offsets = np.concatenate(([0], np.cumsum(counts)))
    index = np.repeat(columns.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])
    return Columns(offsets, columns.timestamps_ms[index], columns.values[index])


def _relabel(columns: Columns, places: Ints) -> _Rows:
    return _Rows(np.repeat(places, np.diff(columns.offsets)), columns.timestamps_ms, columns.values)


def _merge(pieces: Sequence[_Rows], count: int, start_ms: int, end_ms: int) -> Columns:
    """All samples of the span by place and time; of two at one time that of the later piece."""
    if not pieces:
        return Columns.empty(count)
    places = np.concatenate([piece.places for piece in pieces])
    times = np.concatenate([piece.timestamps_ms for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    inside = np.flatnonzero((times >= start_ms) & (times <= end_ms))
    order = inside[np.lexsort((times[inside], places[inside]))]
    places, times, values = places[order], times[order], values[order]
    superseded = np.zeros(len(order), np.bool_)
    superseded[:-1] = (places[1:] == places[:-1]) & (times[1:] == times[:-1])
    kept = ~superseded
    offsets = np.searchsorted(places[kept], np.arange(count + 1))
    return Columns(offsets, times[kept], values[kept])
