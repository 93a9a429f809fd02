"""How far a host is from its usual self: the root mean square of all its metrics' deviations.

In: hosts of many metrics. Out: scores that need no earlier rows. Refused: nothing. The simplest model of
a host, and on labelled machines the strongest single one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.hosts import Scaling, judged, learn_scaling, metric_reasons, rows_to_learn
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.thresholds import tail_thresholds


@dataclass(frozen=True)
class HostDeviationModel(RingSteps, ArrayModel):
    """Level and scale of each metric, (n_series, n_metrics), and the threshold of each host."""

    level: Floats
    scale: Floats
    threshold: Floats

    detector: ClassVar[str] = "host_deviation"
    context: ClassVar[int] = 0

    def score(self, batch: Batch) -> Scores:
        """Root mean square deviation, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def distances(self, batch: Batch) -> Floats:
        """Root mean square deviation, shape (n_series, n_points)."""
        return root_mean_square(Scaling(self.level, self.scale).deviations(batch))

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The metrics that deviate most."""
        here = batch.rows(row, row + 1)
        deviations = Scaling(self.level, self.scale).deviations(here)[series, 0]
        return metric_reasons(deviations, here.values[series, :, 0], float(self.score(here).score[series, 0]))


def root_mean_square(deviations: Floats) -> Floats:
    """Over the last axis, the metrics."""
    squares: Floats = np.sqrt(np.mean(deviations**2, axis=-1))
    return squares


@dataclass(frozen=True)
class HostDeviation:
    """Mean and scale of each metric; the threshold from the root mean squares of ordinary rows."""

    false_alarm_rate: float = 1e-3
    min_deviation: float = 0.5

    name: ClassVar[str] = "host_deviation"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> HostDeviationModel:
        """Fit scales and thresholds; nothing is drawn at random."""
        del seed
        scaling = learn_scaling(batch.learnable())
        distances = root_mean_square(scaling.deviations(batch))
        raw = np.where(rows_to_learn(batch), distances, np.nan)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_deviation)
        return HostDeviationModel(scaling.level, scaling.scale, threshold)

    def restore(self, arrays: Arrays) -> HostDeviationModel:
        """The model again."""
        return HostDeviationModel.from_arrays(arrays)
