"""Decoded blocks: the samples of one shelf and one window, by column and time.

A block is extended as frames arrive. It lies in two flat arrays; each column owns a stretch with some room to
grow, so that a quiet tick appends in place. Late samples are sorted in, and of two samples at one time the
last written counts. Bytes that are not whole frames are refused as `CorruptBlock`.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt

from alertsite.core.samples import Ints
from rules.series.backends.redis_hot.frames import (
    DENSE,
    HEADER_BYTES,
    MAGIC,
    SAME_TIME,
    SHELF_SIZE,
    TRAILER_BYTES,
)
from rules.series.errors import CorruptBlock

_NOTHING_READ = -1


class BlockArrays(NamedTuple):
    """Column c has `counts[c]` samples from `starts[c]` on, and room until `starts[c + 1]`."""

    starts: npt.NDArray[np.int32]  # shape (1025,)
    counts: npt.NDArray[np.int32]  # shape (1024,)
    times: npt.NDArray[np.int32]  # milliseconds from the window's start
    bits: npt.NDArray[np.int64]  # float64 as integers, which no instruction turns into another NaN


class Answer(NamedTuple):
    """Where samples are copied to. `cursors` holds the next free place of each series asked for."""

    cursors: Ints
    timestamps_ms: Ints
    bits: Ints


class Block:
    """Samples of one shelf and window as far as they were read.

    Attributes
    ----------
    length
        Bytes of the Redis string that are in.
    last
        The last bytes that are in: what stands there must not change.
    used_ms
        Start of the newest window there was when the block was last read.
    """

    __slots__ = ("arrays", "last", "length", "used_ms")

    def __init__(self) -> None:
        self.length = 0
        self.last = b""
        self.used_ms = 0
        self.arrays = BlockArrays(
            np.zeros(SHELF_SIZE + 1, np.int32),
            np.zeros(SHELF_SIZE, np.int32),
            np.empty(0, np.int32),
            np.empty(0, np.int64),
        )

    def extend(self, tail: bytes, name: str) -> None:
        """Take in the frames that were appended since.

        Raises
        ------
        CorruptBlock
            If the bytes are not whole frames; the block is as it was before.
        """
        if not tail:
            return
        raw = np.frombuffer(tail, np.uint8)
        added = np.zeros(SHELF_SIZE, np.int32)
        fault = _count_columns(raw, added)
        if fault != _NOTHING_READ:
            raise CorruptBlock(name, self.length + fault)
        needed = self.arrays.counts + added
        if (needed > np.diff(self.arrays.starts)).any():
            self._make_room(needed)
        unsorted = np.zeros(SHELF_SIZE, np.bool_)
        _fill(raw, self.arrays, unsorted)
        if unsorted.any():
            _sort_columns(self.arrays, np.flatnonzero(unsorted))
        self.length += len(tail)
        self.last = tail[-TRAILER_BYTES:]

    def _make_room(self, needed: npt.NDArray[np.int32]) -> None:
        room = np.where(needed > 0, needed + needed // 4 + 4, 0)
        starts = np.zeros(SHELF_SIZE + 1, np.int32)
        np.cumsum(room, out=starts[1:])
        size = int(starts[-1])
        moved = BlockArrays(starts, self.arrays.counts, np.empty(size, np.int32), np.empty(size, np.int64))
        _move(self.arrays, moved)
        self.arrays = moved


_RAW = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_BLOCK = nb.types.NamedTuple((nb.int32[::1], nb.int32[::1], nb.int32[::1], nb.int64[::1]), BlockArrays)
_ANSWER = nb.types.NamedUniTuple(nb.int64[::1], 3, Answer)


@nb.njit(cache=True)
def _header(raw, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Flags, count, time, first column and size of the frame at `at`; size 0 if there is none."""
    if at + HEADER_BYTES > len(raw):
        return 0, 0, 0, 0, 0
    head16 = raw[at : at + HEADER_BYTES].view(np.uint16)
    head32 = raw[at : at + HEADER_BYTES].view(np.uint32)
    flags, count = np.int64(head16[1]), np.int64(head32[1])
    size = HEADER_BYTES + TRAILER_BYTES + 8 * count
    size += 0 if flags & SAME_TIME else 4 * count
    size += 0 if flags & DENSE else 2 * count
    size = np.int64((size + 7) & ~7)
    if head16[0] != MAGIC or at + size > len(raw):
        size = np.int64(0)
    return flags, count, np.int64(head32[2]), np.int64(head16[6]), size


@nb.njit(cache=True)
def _columns(raw, at, header):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """The columns of a frame's samples."""
    flags, count, _, first, _ = header
    columns = np.empty(count, np.int64)
    if flags & DENSE:
        for i in range(count):
            columns[i] = first + i
        return columns
    start = at + HEADER_BYTES + (8 if flags & SAME_TIME else 12) * count
    written = raw[start : start + 2 * count].view(np.uint16)
    for i in range(count):
        columns[i] = written[i]
    return columns


@nb.njit(nb.int64(_RAW, nb.int32[::1]), cache=True)
def _count_columns(raw, counts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Add each column's samples to `counts`. -1, or the position where no frame begins."""
    at = 0
    while at < len(raw):
        header = _header(raw, at)
        if header[4] == 0:
            return at
        for column in _columns(raw, at, header):
            if column >= SHELF_SIZE:
                return at
            counts[column] += 1
        at += header[4]
    return -1


@nb.njit(nb.void(_RAW, _BLOCK, nb.bool_[::1]), cache=True)
def _fill(raw, block, unsorted):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Append every sample to its column, marking columns that are out of order afterwards."""
    at = 0
    while at < len(raw):
        header = _header(raw, at)
        flags, count, time, _, size = header
        start = at + HEADER_BYTES
        bits = raw[start : start + 8 * count].view(np.int64)
        times = raw[start + 8 * count : start + 12 * count].view(np.uint32)
        columns = _columns(raw, at, header)
        for i in range(count):
            column = columns[i]
            offset = np.int32(time if flags & SAME_TIME else times[i])
            end = block.starts[column] + block.counts[column]
            if block.counts[column] and offset <= block.times[end - 1]:
                if offset == block.times[end - 1] and not unsorted[column]:
                    block.bits[end - 1] = bits[i]
                    continue
                unsorted[column] = True
            block.times[end] = offset
            block.bits[end] = bits[i]
            block.counts[column] += 1
        at += size


@nb.njit(nb.void(_BLOCK, nb.int64[::1]), cache=True)
def _sort_columns(block, columns):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Sort by time, stably, and keep the last of equal times."""
    for column in columns:
        start = block.starts[column]
        end = start + block.counts[column]
        times = block.times[start:end].copy()
        bits = block.bits[start:end].copy()
        kept = start - 1
        for i in np.argsort(times, kind="mergesort"):
            if kept < start or block.times[kept] != times[i]:
                kept += 1
            block.times[kept] = times[i]
            block.bits[kept] = bits[i]
        block.counts[column] = kept + 1 - start


@nb.njit(nb.void(_BLOCK, _BLOCK), cache=True)
def _move(old, new):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    for column in range(SHELF_SIZE):
        source, target = old.starts[column], new.starts[column]
        for i in range(old.counts[column]):
            new.times[target + i] = old.times[source + i]
            new.bits[target + i] = old.bits[source + i]


@nb.njit(nb.int32[:, ::1](_BLOCK, nb.int64[::1], nb.int64, nb.int64), cache=True)
def measure(block, columns, low, high):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """For each column where its samples with `low <= time <= high` start and end, shape (k, 2)."""
    spans = np.empty((len(columns), 2), np.int32)
    for i, column in enumerate(columns):
        start = block.starts[column]
        end = start + block.counts[column]
        if start < end and block.times[start] < low:
            start += np.searchsorted(block.times[start:end], np.int32(low), side="left")
        if start < end and block.times[end - 1] > high:
            end = start + np.searchsorted(block.times[start:end], np.int32(high), side="right")
        spans[i, 0], spans[i, 1] = start, end
    return spans


@nb.njit(nb.void(_BLOCK, nb.int32[:, ::1], nb.int64[::1], nb.int64, _ANSWER), cache=True)
def copy_spans(block, spans, positions, base_ms, answer):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Copy the spans to their series' places in the answer and advance the cursors."""
    for i, position in enumerate(positions):
        at = answer.cursors[position]
        for source in range(spans[i, 0], spans[i, 1]):
            answer.timestamps_ms[at] = base_ms + block.times[source]
            answer.bits[at] = block.bits[source]
            at += 1
        answer.cursors[position] = at
