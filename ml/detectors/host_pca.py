"""Principal components of a host's metrics: rows that break how its metrics move together.

In: hosts of many metrics. Out: scores that need no earlier rows. Refused: nothing.
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
class HostPcaModel(RingSteps, ArrayModel):
    """Scaling, and the whitening of each host, shape (n_series, n_metrics, n_metrics), with its
    threshold.
    """

    level: Floats
    scale: Floats
    centre: Floats
    whitening: Floats
    threshold: Floats

    detector: ClassVar[str] = "host_pca"
    context: ClassVar[int] = 0

    def score(self, batch: Batch) -> Scores:
        """Softened Mahalanobis distance, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def distances(self, batch: Batch) -> Floats:
        """Root mean square of the whitened deviations, shape (n_series, n_points)."""
        deviations = Scaling(self.level, self.scale).deviations(batch) - self.centre[:, None]
        distances: Floats = np.sqrt(np.mean((deviations @ self.whitening) ** 2, axis=2))
        return distances

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The metrics whose deviation, mapped back from the components, is largest."""
        here = batch.rows(row, row + 1)
        deviation = Scaling(self.level, self.scale).deviations(here)[series, 0] - self.centre[series]
        contributions = deviation @ self.whitening[series] @ self.whitening[series].T
        return metric_reasons(
            contributions, here.values[series, :, 0], float(self.score(here).score[series, 0])
        )


@dataclass(frozen=True)
class HostPca:
    """Components of the covariance, each divided by its standard deviation and a softening of one.

    The softening is what makes it work on machines: without it the smallest components, which are noise,
    decide.

    References ---------- M.-L. Shyu et al. (2003), A novel anomaly detection scheme based on principal
    component classifier, ICDM.
    """

    softening: float = 1.0
    false_alarm_rate: float = 1e-3
    min_distance: float = 0.5

    name: ClassVar[str] = "host_pca"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> HostPcaModel:
        """Fit scaling, components and threshold; nothing is drawn at random."""
        del seed
        scaling = learn_scaling(batch.learnable())
        deviations, rows = scaling.deviations(batch), rows_to_learn(batch)
        metrics = deviations.shape[2]
        centre = np.zeros((len(batch), metrics))
        whitening = np.tile(np.eye(metrics), (len(batch), 1, 1))
        for index in range(len(batch)):
            known = deviations[index, rows[index]]
            if len(known) > 1:
                centre[index] = known.mean(axis=0)
                whitening[index] = self._whiten(known - centre[index])
        model = HostPcaModel(scaling.level, scaling.scale, centre, whitening, np.ones(len(batch)))
        raw = np.where(rows, model.distances(batch), np.nan)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance)
        return HostPcaModel(scaling.level, scaling.scale, centre, whitening, threshold)

    def _whiten(self, centred: Floats) -> Floats:
        variance, components = np.linalg.eigh(centred.T @ centred / len(centred))
        whitening: Floats = components / np.sqrt(np.maximum(variance, 0.0) + self.softening)
        return whitening

    def restore(self, arrays: Arrays) -> HostPcaModel:
        """The model again."""
        return HostPcaModel.from_arrays(arrays)
