"""What models of sub-sequences share: how far the window that ends at a row lies from ordinary ones.

In: single metrics. Out: scores, and the lag that makes most of a score. Refused: hosts of many metrics.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import ArrayModel, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.windows import Level, judged, over_windows


@dataclass(frozen=True)
class SubsequenceModel(RingSteps, ArrayModel):
    """Level and scale (n_series,), mean window (n_series, width), threshold (n_series,)."""

    level: Floats
    scale: Floats
    centre: Floats
    threshold: Floats

    reason: ClassVar[str]
    """What a window is strange by, before its lag is named."""

    @property
    def context(self) -> int:
        """A window less the scored row."""
        return int(self.centre.shape[1]) - 1

    @abstractmethod
    def deviating(self, series: int, windows: Floats) -> Floats:
        """What of windows (n_windows, width) is not ordinary, in as many parts as the model has."""

    def score(self, batch: Batch) -> Scores:
        """The size of what is not ordinary of each window, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def distances(self, batch: Batch) -> Floats:
        """Its root mean square, shape (n_series, n_points)."""
        deviations = Level(self.level, self.scale).deviations(batch)
        return over_windows(deviations, self.centre.shape[1], self._distance)

    def _distance(self, series: int, windows: Floats) -> Floats:
        distance: Floats = np.sqrt(np.mean(self.deviating(series, windows) ** 2, axis=1))
        return distance

    def by_lag(self, series: int, window: Floats) -> Floats:
        """What of one window is not ordinary, a part a row."""
        parts: Floats = self.deviating(series, window[None])[0]
        return parts

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The lag at which the window is least ordinary."""
        here = batch.rows(max(0, row - self.context), row + 1)
        score = float(np.nan_to_num(self.score(here).score[series, -1]))
        deviations = Level(self.level, self.scale).deviations(here)[series]
        if len(deviations) <= self.context:
            return [Reason("the window is not yet full", float(here.values[series, 0, -1]), score)]
        lag = int(np.argmax(np.abs(self.by_lag(series, deviations))[::-1]))
        return [Reason(f"{self.reason}, most at lag {lag}", float(here.values[series, 0, -1 - lag]), score)]
