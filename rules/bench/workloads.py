"""The workloads W1 to W5: series, rules over them, and a new sample of each series a tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from alertsite.core.samples import Floats, Ints
from rules.series.protocols import SampleBatch

INTERVAL_MS: Final = 15_000
HISTORY_TICKS: Final = 24
"""Samples of each series before the first pass: more than the five minutes that the rules look back."""
THRESHOLD: Final = 1e9
"""Above every value: a quiet pass, in which nothing holds."""
RULES_PER_GROUP: Final = 1000


@dataclass(frozen=True, slots=True)
class Workload:
    """Series and rules. Rule i reads the metric `m<i>` alone."""

    name: str
    rules: int
    series_per_rule: int
    expr: Callable[[str], str]

    def scaled(self, rules: int) -> Workload:
        """The same with another number of rules."""
        return Workload(self.name, rules, self.series_per_rule, self.expr)

    def expressions(self) -> Iterator[str]:
        """One expression a rule."""
        return (f"{self.expr(f'm{number}')} > {THRESHOLD:g}" for number in range(self.rules))

    def label_sets(self) -> list[LabelSet]:
        """Of all series."""
        return [
            label_set(
                {
                    METRIC_NAME: f"m{rule}",
                    "instance": f"host-{series:05d}:9100",
                    "job": f"job-{series % 10}",
                    "env": "production",
                }
            )
            for rule in range(self.rules)
            for series in range(self.series_per_rule)
        ]


WORKLOADS: Final = {
    "W1": Workload("W1", 10_000, 1, lambda metric: f'{metric}{{env="production"}}'),
    "W2": Workload("W2", 1000, 100, lambda metric: f"avg_over_time({metric}[5m])"),
    "W3": Workload("W3", 1000, 10, lambda metric: f"sum by (job) (rate({metric}[5m]))"),
    "W4": Workload("W4", 100_000, 1, lambda metric: f'{metric}{{env="production"}}'),
    "W5": Workload("W5", 1, 100_000, lambda metric: f'{metric}{{env="production"}}'),
}


def workload(name: str) -> Workload:
    """A workload by name.

    Raises
    ------
    InvalidParameter
        If there is none of that name.
    """
    if name not in WORKLOADS:
        raise InvalidParameter("work", name, ", ".join(WORKLOADS))
    return WORKLOADS[name]


@dataclass(frozen=True, slots=True)
class SampleSource:
    """A rising value for each series, the same in every run."""

    label_sets: Sequence[LabelSet]

    def at(self, tick: int, timestamp_ms: int) -> SampleBatch:
        """One sample of each series."""
        count = len(self.label_sets)
        series: Ints = np.arange(count)
        values: Floats = (tick * 10.0 + series % 7).astype(np.float64)
        return SampleBatch(self.label_sets, series, np.full(count, timestamp_ms, np.int64), values)
