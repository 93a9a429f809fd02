"""What a periodic task does to the hot store: archive closed windows, free memory, forget dead series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import redis

from rules.series.backends.archive import ClosedBlock
from rules.series.backends.redis_hot.directory import Directory, Edition
from rules.series.backends.redis_hot.frames import SHELF_BITS
from rules.series.backends.redis_hot.reader import Reader
from rules.series.backends.redis_hot.scripts import Keys, Scripts, stored_windows
from rules.series.backends.redis_hot.writer import Retention

_SERIES_A_BLOCK: Final = 65_536
_WORTH_A_REWRITE: Final = 0.1
_BLOCKS_A_CALL: Final = 32


class Upkeep:
    """Closed windows and dead series of one tenant."""

    def __init__(self, client: redis.Redis, scripts: Scripts, keys: Keys, retention: Retention) -> None:
        self._client = client
        self._scripts = scripts
        self._keys = keys
        self._retention = retention

    def closed_windows(self, now_ms: int, *, lateness_ms: int) -> list[int]:
        """Starts of the windows that ended before the lateness window and are not expired, oldest first."""
        latest_ms = now_ms - lateness_ms - self._retention.window_ms
        expired_ms = now_ms - self._retention.hot_ms - self._retention.window_ms
        self._client.zremrangebyscore(self._keys.windows, "-inf", expired_ms)
        return stored_windows(self._client, self._keys, latest_ms)

    def export_window(self, edition: Edition, window_start_ms: int) -> Iterator[ClosedBlock]:
        """Blocks of the window's samples, series without any left out."""
        end_ms = window_start_ms + self._retention.window_ms
        labels = {number: key for key, number in list(edition.numbers.items())}
        everything = np.fromiter(labels, np.int64, len(labels))
        for start in range(0, len(everything), _SERIES_A_BLOCK):
            numbers = everything[start : start + _SERIES_A_BLOCK]
            columns = self._new_reader().read(edition.epoch, numbers, window_start_ms, end_ms - 1)
            present = numbers[np.diff(columns.offsets) > 0].tolist()
            if present:
                yield ClosedBlock(
                    window_start_ms, end_ms, [labels[number] for number in present], columns.without_empty()
                )

    def drop_window(self, edition: Edition, window_start_ms: int) -> None:
        """Delete the window's blocks."""
        self._client.unlink(*self._block_keys(edition, window_start_ms))
        self._client.zrem(self._keys.windows, window_start_ms)

    def trim_ended_windows(self, edition: Edition, now_ms: int) -> int:
        """Free the room that blocks of ended windows keep for appends. Returns bytes."""
        ended_ms = now_ms - self._retention.window_ms
        freed = 0
        for window in stored_windows(self._client, self._keys, ended_ms):
            keys = self._block_keys(edition, window)
            for start in range(0, len(keys), _BLOCKS_A_CALL):
                freed += int(self._scripts.trim(keys=keys[start : start + _BLOCKS_A_CALL]))
        return freed

    def _block_keys(self, edition: Edition, window_ms: int) -> list[str]:
        shelves = range((edition.next_number >> SHELF_BITS) + 1)
        return [self._keys.block(edition.epoch, window_ms, shelf) for shelf in shelves]

    def drop_gone_series(self, directory: Directory, span_ms: tuple[int, int]) -> int:
        """Rewrite the log without the series that have no hot sample, unless they are few; return how many.

        1. Read which series have samples, and how long each block is. 2. Replace the log on condition that
        neither it nor any block that can take samples has grown; otherwise leave it to the next round. 3.
        Writers with the old revision are refused by Redis and look their series up again.

        `span_ms` is the first and last time at which samples are taken now.
        """
        edition = directory.catch_up()
        entries = list(edition.numbers.items())
        known = {number for _, number in entries}
        alive: set[int] = set()
        lengths: dict[str, int] = {}
        for window in self._windows(span_ms):
            present, block_lengths = self._contents(edition, window)
            alive.update(known.intersection(present))
            lengths.update(block_lengths)
            if len(alive) >= (1 - _WORTH_A_REWRITE) * len(known):  # a quiet tenant costs a window or two
                return 0
        kept = ((number, key) for key, number in entries if number in alive)
        return len(known) - len(alive) if directory.rewrite(edition, kept, lengths) else 0

    def _contents(self, edition: Edition, window_ms: int) -> tuple[list[int], dict[str, int]]:
        """Numbers of the series with samples in the window, and by key how long its blocks are."""
        reader = self._new_reader()
        keys = self._block_keys(edition, window_ms)
        reader.refresh(edition.epoch, [(window_ms, shelf) for shelf in range(len(keys))])
        blocks = [reader.block((window_ms, shelf)) for shelf in range(len(keys))]
        present = [
            (shelf << SHELF_BITS) + column
            for shelf, block in enumerate(blocks)
            if block
            for column in np.flatnonzero(block.arrays.counts).tolist()
        ]
        return present, {key: block.length if block else 0 for key, block in zip(keys, blocks, strict=True)}

    def _windows(self, span_ms: tuple[int, int]) -> list[int]:
        """Starts of the windows that hold samples or may take some, newest first."""
        width = self._retention.window_ms
        writable = range(span_ms[0] // width * width, span_ms[1] + 1, width)
        return sorted({*stored_windows(self._client, self._keys), *writable}, reverse=True)

    def _new_reader(self) -> Reader:
        """One that keeps nothing of what is read once."""
        return Reader(self._client, self._scripts, self._keys, self._retention.window_ms)
