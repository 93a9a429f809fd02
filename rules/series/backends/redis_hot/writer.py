"""Writing to the hot store: samples in, frames out, one round trip a request once the series are known.

Samples outside the lateness window and series beyond the tenant's limits are counted by reason and not
stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from alertsite.core.samples import Floats, Ints
from rules.series.backends.redis_hot.directory import Directory, Edition
from rules.series.backends.redis_hot.frames import Frame, encode_frames
from rules.series.backends.redis_hot.scripts import Keys, Scripts
from rules.series.errors import RefusedLabels, StoreContended
from rules.series.limits import SeriesLimits
from rules.series.protocols import WriteReceipt

_ATTEMPTS = 10
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Retention:
    """How hot samples are kept: windows of `window_ms`, each until `hot_ms` after its end."""

    window_ms: int
    hot_ms: int


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of m rows; `series` is for each the position of its series' labels."""

    series: Ints
    timestamps_ms: Ints
    values: Floats

    def only(self, kept: Ints | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Samples:
        """These rows alone."""
        return Samples(self.series[kept], self.timestamps_ms[kept], self.values[kept])


Admit = Callable[[int], bytes]
"""Canonical label bytes of the series at a position; raises RefusedLabels if it may not be stored."""


@dataclass(slots=True)
class _Resolved:
    """Numbers of a request's series.

    Attributes
    ----------
    edition
        What the numbers were looked up in first.
    numbers
        Shape (n,). -1 for a series that has no samples or is refused.
    reasons
        Position -> why the series is refused.
    current
        False if the edition was replaced meanwhile: some numbers are then another edition's.
    """

    edition: Edition
    numbers: Ints
    reasons: dict[int, str] = field(default_factory=dict)
    current: bool = True

    def refused_rows(self, series: Ints) -> Counter[str]:
        """Samples refused, by reason."""
        rows = np.bincount(series, minlength=len(self.numbers)) if self.reasons else ()
        counted: Counter[str] = Counter()
        for position, reason in self.reasons.items():
            counted[reason] += int(rows[position])
        return counted


class Writer:
    """Appends samples of one tenant. Safe for threads; several processes may write at once."""

    def __init__(
        self, scripts: Scripts, keys: Keys, directory: Directory, limits: SeriesLimits, retention: Retention
    ) -> None:
        self._scripts = scripts
        self._keys = keys
        self._directory = directory
        self._limits = limits
        self._retention = retention

    def write(self, labels: Sequence[bytes], samples: Samples, admit: Admit, *, now_ms: int) -> WriteReceipt:
        """Store samples of series known by label bytes.

        1. Look numbers up; allocate those that are missing. 2. Append all frames in one script, which refuses
        when the numbers are no longer what they were. 3. If it refused, catch up and start over: nothing was
        stored.
        """
        refused: Counter[str] = Counter()
        samples = self._in_time(samples, refused, now_ms)
        for _ in range(_ATTEMPTS if len(samples.series) else 0):
            resolved = self._resolve(labels, samples.series, admit)
            stored = samples
            numbers = resolved.numbers[samples.series]
            if resolved.reasons:
                kept = numbers != _UNKNOWN
                stored, numbers = samples.only(kept), numbers[kept]
            if resolved.current and self._append(resolved.edition, numbers, stored, now_ms):
                refused.update(resolved.refused_rows(samples.series))
                return WriteReceipt(len(numbers), dict(refused))
            self._directory.catch_up()
        if len(samples.series):
            raise StoreContended(_ATTEMPTS)
        return WriteReceipt(0, dict(refused))

    def _in_time(self, samples: Samples, refused: Counter[str], now_ms: int) -> Samples:
        too_old = samples.timestamps_ms < now_ms - self._limits.lateness_ms
        too_new = samples.timestamps_ms > now_ms + self._limits.future_ms
        outside = too_old | too_new
        if not outside.any():
            return samples
        for reason, rows in (("too_old", too_old), ("too_far_in_future", too_new)):
            if rows.any():
                refused[reason] += int(np.count_nonzero(rows))
        return samples.only(~outside)

    def _resolve(self, labels: Sequence[bytes], series: Ints, admit: Admit) -> _Resolved:
        edition = self._directory.edition
        resolved = _Resolved(edition, _look_up(edition.numbers, labels))
        missing = np.flatnonzero(resolved.numbers == _UNKNOWN)
        if not len(missing):
            return resolved
        resolved.numbers[missing] = _look_up(
            edition.aliases, [labels[position] for position in missing.tolist()]
        )
        present, first_rows = np.unique(series, return_index=True)
        in_order = present[np.argsort(first_rows)]
        unknown = in_order[resolved.numbers[in_order] == _UNKNOWN].tolist()
        if unknown:
            self._introduce(resolved, labels, unknown, admit)
        return resolved

    def _introduce(
        self, resolved: _Resolved, labels: Sequence[bytes], unknown: list[int], admit: Admit
    ) -> None:
        """Give numbers to the series at these positions, or reasons why not."""
        canonical = _admitted(unknown, admit, resolved.reasons)
        with self._directory.lock:
            edition = self._directory.allocate(list(canonical.values()), max_series=self._limits.max_series)
            for position, key in canonical.items():
                number = edition.numbers.get(key, _UNKNOWN)
                resolved.numbers[position] = number
                if number == _UNKNOWN:
                    resolved.reasons[position] = "series_limit"
                elif key != labels[position]:
                    edition.remember_alias(labels[position], number)
        resolved.current = edition is resolved.edition

    def _append(self, edition: Edition, numbers: Ints, samples: Samples, now_ms: int) -> bool:
        if not len(numbers):
            return True
        frames = encode_frames(
            numbers, samples.timestamps_ms, samples.values, window_ms=self._retention.window_ms
        )
        keys = [self._keys.head, self._keys.log, self._keys.windows]
        keys += [self._keys.block(edition.epoch, frame.window_ms, frame.shelf) for frame in frames]
        arguments: list[bytes | int] = edition.arguments
        for frame in frames:
            arguments += (frame.content, self._time_to_live_ms(frame, now_ms), frame.window_ms)
        return bool(self._scripts.append(keys=keys, args=arguments))

    def _time_to_live_ms(self, frame: Frame, now_ms: int) -> int:
        return frame.window_ms + self._retention.window_ms + self._retention.hot_ms - now_ms


def _look_up(known: dict[bytes, int], labels: Sequence[bytes]) -> Ints:
    return np.fromiter(map(known.get, labels, repeat(_UNKNOWN)), np.int64, len(labels))


def _admitted(positions: Iterable[int], admit: Admit, reasons: dict[int, str]) -> dict[int, bytes]:
    """Canonical label bytes of the series that may be stored; why not, for the others."""
    canonical = {}
    for position in positions:
        try:
            canonical[position] = admit(position)
        except RefusedLabels as refusal:
            reasons[position] = refusal.reason
    return canonical
