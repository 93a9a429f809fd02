"""Reading from the hot store: blocks are fetched once, kept decoded, and extended by what was appended since.

What comes out are the samples of series asked for by number. A block that Redis rolled back or dropped is
read anew; after Redis was emptied numbers mean nothing and reading raises `SeriesRenumbered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import redis

from alertsite.core.samples import Columns, Ints
from rules.series.backends.redis_hot.blocks import Answer, Block, copy_spans, measure
from rules.series.backends.redis_hot.frames import SHELF_BITS, SHELF_SIZE, TRAILER_BYTES
from rules.series.backends.redis_hot.scripts import Keys, Scripts, stored_windows
from rules.series.errors import SeriesRenumbered

BlockId: TypeAlias = tuple[int, int]
"""Start of the window, shelf."""

_FEW_WINDOWS = 4
_CALL_WEIGHT = 1024
_WHOLE_BLOCK_WEIGHT = 128  # eight blocks an answer: 3 MB of scrapes every 15 s, 40 MB of one a second
_KEPT_WINDOWS = 2


@dataclass(frozen=True, slots=True)
class _Part:
    """What is asked of one shelf."""

    shelf: int
    columns: Ints
    positions: Ints


class Reader:
    """Samples of one tenant by number. Callers hold a lock."""

    def __init__(self, client: redis.Redis, scripts: Scripts, keys: Keys, window_ms: int) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = keys
        self._window_ms = window_ms
        self._epoch = b""
        self._blocks: dict[BlockId, Block] = {}
        self._newest_ms = 0

    def read(self, epoch: bytes, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these numbers of this epoch with `start_ms <= timestamp <= end_ms`.

        Raises
        ------
        SeriesRenumbered
            If the epoch is over.
        """
        if not len(numbers) or end_ms < start_ms:
            return Columns.empty(len(numbers))
        parts = list(_by_shelf(numbers))
        windows = self._windows(start_ms, end_ms)
        wanted = [(window, part.shelf) for window in windows for part in parts]
        self.refresh(epoch, wanted)
        self._forget_unused(wanted)
        return self._gather(parts, windows, (start_ms, end_ms), len(numbers))

    def refresh(self, epoch: bytes, wanted: list[BlockId]) -> None:
        """Bring these blocks of this epoch up to date.

        Raises
        ------
        SeriesRenumbered
            If the epoch is over.
        """
        if epoch != self._epoch:
            self._blocks.clear()
            self._epoch = epoch
        rolled_back = []
        for call in self._calls(wanted):
            known = [self._blocks.get(block_id) for block_id in call]
            starts = [block.length - TRAILER_BYTES if block else 0 for block in known]
            for block_id, block, tail in zip(call, known, self._fetch(call, starts), strict=True):
                if block and not tail.startswith(block.last):
                    rolled_back.append(block_id)
                elif len(tail) > (TRAILER_BYTES if block else 0):
                    self._extend(block_id, tail[TRAILER_BYTES:] if block else tail)
        if rolled_back:
            for block_id in rolled_back:
                del self._blocks[block_id]
            self.refresh(epoch, rolled_back)

    def block(self, block_id: BlockId) -> Block | None:
        """A block as far as it was read."""
        return self._blocks.get(block_id)

    def _extend(self, block_id: BlockId, tail: bytes) -> None:
        block = self._blocks.get(block_id) or Block()
        block.extend(tail, f"{block_id[0]}:{block_id[1]}")
        self._blocks[block_id] = block

    def _fetch(self, call: list[BlockId], starts: list[int]) -> list[bytes]:
        keys = [self._keys.block(self._epoch, *block_id) for block_id in call]
        tails = self._scripts.tails(keys=[self._keys.head, *keys], args=[self._epoch, *starts])
        if tails is None:
            raise SeriesRenumbered
        answer: list[bytes] = tails
        return answer

    def _calls(self, wanted: list[BlockId]) -> Iterator[list[BlockId]]:
        call: list[BlockId] = []
        weight = 0
        for block_id in wanted:
            weight += 1 if block_id in self._blocks else _WHOLE_BLOCK_WEIGHT
            call.append(block_id)
            if weight >= _CALL_WEIGHT:
                yield call
                call, weight = [], 0
        if call:
            yield call

    def _windows(self, start_ms: int, end_ms: int) -> list[int]:
        first = start_ms // self._window_ms * self._window_ms
        if end_ms - first < _FEW_WINDOWS * self._window_ms:
            return list(range(first, end_ms + 1, self._window_ms))
        return [start for start in stored_windows(self._client, self._keys, end_ms) if start >= first]

    def _forget_unused(self, used: Iterable[BlockId]) -> None:
        """Drop blocks that no read has touched while two newer windows began to hold samples.

        Stored samples are the clock, not the times that are asked for: those may lie in any future.
        """
        previous_ms = self._newest_ms
        self._newest_ms = max((window for window, _ in self._blocks), default=previous_ms)
        for block_id in used:
            if block_id in self._blocks:
                self._blocks[block_id].used_ms = self._newest_ms
        if self._newest_ms != previous_ms:
            oldest_ms = self._newest_ms - _KEPT_WINDOWS * self._window_ms
            self._blocks = {key: block for key, block in self._blocks.items() if block.used_ms >= oldest_ms}

    def _gather(
        self, parts: list[_Part], windows: list[int], span_ms: tuple[int, int], count: int
    ) -> Columns:
        counts = np.zeros(count, np.int64)
        found = []
        for window in windows:
            low = max(span_ms[0] - window, 0)
            high = min(span_ms[1] - window, self._window_ms - 1)
            for part in parts:
                block = self._blocks.get((window, part.shelf))
                if block:
                    spans = measure(block.arrays, part.columns, low, high)
                    counts[part.positions] += spans[:, 1] - spans[:, 0]
                    found.append((block, spans, part.positions, window))
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        answer = Answer(offsets[:-1].copy(), np.empty(offsets[-1], np.int64), np.empty(offsets[-1], np.int64))
        for block, spans, positions, window in found:
            copy_spans(block.arrays, spans, positions, window, answer)
        return Columns(offsets, answer.timestamps_ms, answer.bits.view(np.float64))


def _by_shelf(numbers: Ints) -> Iterator[_Part]:
    positions = np.arange(len(numbers))
    if (np.diff(numbers) < 0).any():
        positions = np.argsort(numbers, kind="stable")
        numbers = numbers[positions]
    shelves = numbers >> SHELF_BITS
    columns = numbers & (SHELF_SIZE - 1)
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(shelves)) + 1, [len(shelves)])).tolist()
    for start, end in pairwise(bounds):
        yield _Part(int(shelves[start]), columns[start:end], positions[start:end])
