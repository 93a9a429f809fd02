"""The Mahalanobis distance of sub-sequences: windows of a shape that ordinary time does not show.

In: single metrics. Out: scores of the window that ends at each row. Refused: hosts of many metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.windows import Level, judged, learn_level, learnable_windows, ordinary_only, over_windows


@dataclass(frozen=True)
class SubMahalanobisModel(RingSteps, ArrayModel):
    """Level and scale; mean window (n_series, width) and whitening (n_series, width, n_kept); threshold."""

    level: Floats
    scale: Floats
    centre: Floats
    whitening: Floats
    threshold: Floats

    detector: ClassVar[str] = "sub_mahalanobis"

    @property
    def context(self) -> int:
        """A window less the scored row."""
        return int(self.centre.shape[1]) - 1

    def score(self, batch: Batch) -> Scores:
        """Distance of each window from the mean one, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def distances(self, batch: Batch) -> Floats:
        """Root mean square of the whitened window, shape (n_series, n_points)."""
        deviations = Level(self.level, self.scale).deviations(batch)
        return over_windows(deviations, self.centre.shape[1], self._distance)

    def _distance(self, series: int, windows: Floats) -> Floats:
        whitened = (windows - self.centre[series]) @ self.whitening[series]
        distance: Floats = np.sqrt(np.mean(whitened**2, axis=1))
        return distance

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The lag at which the window differs most from ordinary ones."""
        here = batch.rows(max(0, row - self.context), row + 1)
        score = float(np.nan_to_num(self.score(here).score[series, -1]))
        deviations = Level(self.level, self.scale).deviations(here)[series]
        if len(deviations) <= self.context:
            return [Reason("the window is not yet full", float(here.values[series, 0, -1]), score)]
        parts = np.abs(deviations - self.centre[series])
        lag = int(np.argmax(parts[::-1]))
        return [
            Reason(f"shape of the window, most at lag {lag}", float(here.values[series, 0, -1 - lag]), score)
        ]


@dataclass(frozen=True)
class SubMahalanobis:
    """Covariance of windows of `width` rows, shrunk towards the identity by `shrinkage`.

    References
    ----------
    P. C. Mahalanobis (1936), On the generalised distance in statistics.
    """

    width: int = 16
    shrinkage: float = 0.05
    false_alarm_rate: float = 1e-3
    min_distance: float = 2.5

    name: ClassVar[str] = "sub_mahalanobis"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> SubMahalanobisModel:
        """Fit level, covariance and threshold; nothing is drawn at random."""
        del seed
        level = learn_level(batch)
        centre = np.zeros((len(batch), self.width))
        whitening = np.tile(np.eye(self.width), (len(batch), 1, 1))
        for series, windows in enumerate(learnable_windows(batch, level, self.width)):
            if len(windows) > 1:
                centre[series] = windows.mean(axis=0)
                whitening[series] = self._whiten(windows - centre[series])
        model = SubMahalanobisModel(level.level, level.scale, centre, whitening, np.ones(len(batch)))
        raw = ordinary_only(model.distances(batch), batch, self.width)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance)
        return SubMahalanobisModel(level.level, level.scale, centre, whitening, threshold)

    def _whiten(self, centred: Floats) -> Floats:
        covariance = centred.T @ centred / len(centred)
        variance, components = np.linalg.eigh(covariance)
        whitening: Floats = components / np.sqrt(np.maximum(variance, 0.0) + self.shrinkage)
        return whitening

    def restore(self, arrays: Arrays) -> SubMahalanobisModel:
        """The model again."""
        return SubMahalanobisModel.from_arrays(arrays)
