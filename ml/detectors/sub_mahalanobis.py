"""The Mahalanobis distance of sub-sequences: windows of a shape that ordinary time does not show.

In: single metrics. Out: scores of the window that ends at each row. Refused: hosts of many metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import Arrays, Batch
from ml.detectors.subsequences import SubsequenceModel
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.windows import learn_level, learnable_windows, ordinary_only


@dataclass(frozen=True)
class SubMahalanobisModel(SubsequenceModel):
    """Whitening (n_series, width, n_kept) beside what all models of sub-sequences have."""

    whitening: Floats

    detector: ClassVar[str] = "sub_mahalanobis"
    reason: ClassVar[str] = "shape of the window"

    def deviating(self, series: int, windows: Floats) -> Floats:
        """The whitened windows."""
        whitened: Floats = (windows - self.centre[series]) @ self.whitening[series]
        return whitened

    def by_lag(self, series: int, window: Floats) -> Floats:
        """Distances from the mean window: whitened parts belong to no row."""
        parts: Floats = window - self.centre[series]
        return parts


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
        model = SubMahalanobisModel(level.level, level.scale, centre, np.ones(len(batch)), whitening)
        raw = ordinary_only(model.distances(batch), batch, self.width)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance)
        return replace(model, threshold=threshold)

    def _whiten(self, centred: Floats) -> Floats:
        covariance = centred.T @ centred / len(centred)
        variance, components = np.linalg.eigh(covariance)
        whitening: Floats = components / np.sqrt(np.maximum(variance, 0.0) + self.shrinkage)
        return whitening

    def restore(self, arrays: Arrays) -> SubMahalanobisModel:
        """The model again."""
        return SubMahalanobisModel.from_arrays(arrays)
