"""The reference store: everything in dictionaries, nothing expires. Tests and back-tests read from it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Columns, Ints
from rules.series.encoded import EncodedBatch
from rules.series.encoding import parse_labels
from rules.series.errors import RefusedLabels
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch, WriteReceipt


@dataclass(slots=True)
class _Series:
    labels: LabelSet
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[np.float64] = field(default_factory=list)  # NumPy scalars keep the bits of stale markers

    def put(self, timestamp_ms: int, value: np.float64) -> None:
        """Insert in time order; of two samples at one time the last written counts."""
        at = bisect_left(self.timestamps_ms, timestamp_ms)
        if at < len(self.timestamps_ms) and self.timestamps_ms[at] == timestamp_ms:
            self.values[at] = value
        else:
            self.timestamps_ms.insert(at, timestamp_ms)
            self.values.insert(at, value)


class MemorySeries:
    """Reader and writer over one tenant's series in this process. Not safe for threads."""

    def __init__(self, limits: SeriesLimits | None = None) -> None:
        self._limits = limits or SeriesLimits()
        self._numbers: dict[LabelSet, int] = {}
        self._series: list[_Series] = []

    def generation(self) -> int:
        """The count of series: they are only ever added."""
        return len(self._series)

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher."""
        found = [
            number for number, series in enumerate(self._series) if _satisfies(dict(series.labels), matchers)
        ]
        return np.array(found, dtype=np.int64)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked."""
        return [self._series[number].labels for number in numbers.tolist()]

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series with `start_ms <= timestamp <= end_ms`."""
        offsets = np.zeros(len(numbers) + 1, np.int64)
        times: list[int] = []
        values: list[np.float64] = []
        for position, number in enumerate(numbers.tolist()):
            series = self._series[number]
            low = bisect_left(series.timestamps_ms, start_ms)
            high = bisect_left(series.timestamps_ms, end_ms + 1)
            times.extend(series.timestamps_ms[low:high])
            values.extend(series.values[low:high])
            offsets[position + 1] = len(times)
        return Columns(offsets, np.array(times, np.int64), np.array(values, np.float64))

    def append(self, batch: SampleBatch, *, now_ms: int) -> WriteReceipt:
        """Store the samples inside the limits, count the others by reason."""
        return self._append(batch, {}, now_ms)

    def append_encoded(self, batch: EncodedBatch, *, now_ms: int) -> WriteReceipt:
        """As `append`, for label bytes as they came in."""
        label_sets: list[LabelSet] = []
        refusals = {}
        for position, raw in enumerate(batch.labels):
            try:
                label_sets.append(parse_labels(raw))
            except RefusedLabels as refusal:
                label_sets.append(())
                refusals[position] = refusal.reason
        decoded = SampleBatch(label_sets, batch.series, batch.timestamps_ms, batch.values)
        return self._append(decoded, refusals, now_ms)

    def _append(self, batch: SampleBatch, refusals: Mapping[int, str], now_ms: int) -> WriteReceipt:
        refused: Counter[str] = Counter()
        accepted = 0
        rows = zip(batch.series.tolist(), batch.timestamps_ms.tolist(), batch.values, strict=True)
        for position, timestamp_ms, value in rows:
            labels = batch.label_sets[position]
            reason = (
                self._time_refusal(timestamp_ms, now_ms)
                or refusals.get(position)
                or self._series_refusal(labels)
            )
            if reason:
                refused[reason] += 1
                continue
            number = self._numbers.setdefault(labels, len(self._series))
            if number == len(self._series):
                self._series.append(_Series(labels))
            self._series[number].put(timestamp_ms, value)
            accepted += 1
        return WriteReceipt(accepted, dict(refused))

    def _time_refusal(self, timestamp_ms: int, now_ms: int) -> str | None:
        if timestamp_ms < now_ms - self._limits.lateness_ms:
            return "too_old"
        if timestamp_ms > now_ms + self._limits.future_ms:
            return "too_far_in_future"
        return None

    def _series_refusal(self, labels: LabelSet) -> str | None:
        reason = self._limits.label_refusal(labels)
        if reason is None and labels not in self._numbers and len(self._series) >= self._limits.max_series:
            reason = "series_limit"
        return reason


def _satisfies(labels: dict[str, str], matchers: Sequence[Matcher]) -> bool:
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
