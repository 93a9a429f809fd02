"""Compiles every kernel, so that no tick waits for a compiler. For image builds and process starts.

In: nothing. Out: machine code in the on-disk cache of numba; where it is there already, this takes a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher
from alertsite.core.samples import Columns, Ints
from rules.language.engine import evaluate_instant
from rules.language.plan import plan

_EXPRESSIONS = (
    "sum(rate(m[5m])) + avg(delta(m[5m])) + stddev(m) + max(m) + quantile(0.5, m) + count(m)",
    "sum_over_time(m[5m]) + avg_over_time(m[5m]) + stddev_over_time(m[5m]) + max_over_time(m[5m])",
    "quantile_over_time(0.5, m[5m]) + mad_over_time(m[5m]) + changes(m[5m]) + deriv(m[5m])",
    "double_exponential_smoothing(m[5m], 0.5, 0.5) + sum_over_time(m[5m:1m])",
    "rate(m[5m] anchored) + increase(m[5m] smoothed) + changes(m[5m] anchored) + (m smoothed)",
    "histogram_quantile(0.5, m) or histogram_fraction(0, 1, m)",
)


def compile_kernels() -> None:
    """Evaluate one expression of each kind, over arrays that may be written and over such that may not."""
    for writeable in (True, False):
        reader = _OneSeries(writeable=writeable)
        for expression in _EXPRESSIONS:
            evaluate_instant(plan(expression), reader, 600_000)


class _OneSeries:
    """A store of one series with a sample a minute."""

    def __init__(self, *, writeable: bool) -> None:
        times = np.arange(0, 660_000, 60_000, dtype=np.int64)
        self._columns = Columns(np.array([0, len(times)], np.int64), times, times / 1000)
        for array in (self._columns.offsets, self._columns.timestamps_ms, self._columns.values):
            array.flags.writeable = writeable

    def generation(self) -> int:
        return 0

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        return np.zeros(min(len(matchers), 1), np.int64)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        return [((METRIC_NAME, "m"), ("le", "+Inf"))] * len(numbers)

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        del numbers, start_ms, end_ms  # it has no more than what every window may see
        return self._columns


if __name__ == "__main__":
    compile_kernels()
