"""Principal components of sub-sequences: what of a window no combination of ordinary shapes explains.

In: single metrics. Out: scores of the window that ends at each row, with the value its shape would
expect. Refused: hosts of many metrics.
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
class SubPcaModel(RingSteps, ArrayModel):
    """Level and scale; mean window (n_series, width); components (n_series, width, n_kept); threshold."""

    level: Floats
    scale: Floats
    centre: Floats
    components: Floats
    threshold: Floats

    detector: ClassVar[str] = "sub_pca"

    @property
    def context(self) -> int:
        """A window less the scored row."""
        return int(self.centre.shape[1]) - 1

    def score(self, batch: Batch) -> Scores:
        """What the components leave unexplained of each window, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def distances(self, batch: Batch) -> Floats:
        """Root mean square of the unexplained part, shape (n_series, n_points)."""
        deviations = Level(self.level, self.scale).deviations(batch)
        return over_windows(deviations, self.centre.shape[1], self._distance)

    def _distance(self, series: int, windows: Floats) -> Floats:
        unexplained = self._unexplained(series, windows)
        distance: Floats = np.sqrt(np.mean(unexplained**2, axis=1))
        return distance

    def _unexplained(self, series: int, windows: Floats) -> Floats:
        centred = windows - self.centre[series]
        components = self.components[series]
        rest: Floats = centred - (centred @ components) @ components.T
        return rest

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The lag at which the window is least like its reconstruction."""
        here = batch.rows(max(0, row - self.context), row + 1)
        score = float(np.nan_to_num(self.score(here).score[series, -1]))
        deviations = Level(self.level, self.scale).deviations(here)[series]
        if len(deviations) <= self.context:
            return [Reason("the window is not yet full", float(here.values[series, 0, -1]), score)]
        rest = np.abs(self._unexplained(series, deviations[None])[0])
        lag = int(np.argmax(rest[::-1]))
        value = float(here.values[series, 0, -1 - lag])
        return [Reason(f"part of the window that ordinary shapes leave, most at lag {lag}", value, score)]


@dataclass(frozen=True)
class SubPca:
    """The first `kept` components of windows of `width` rows.

    References
    ----------
    C. C. Aggarwal (2017), Outlier analysis, chapter 3.
    """

    width: int = 32
    kept: int = 6
    false_alarm_rate: float = 1e-3
    min_distance: float = 1.0

    name: ClassVar[str] = "sub_pca"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> SubPcaModel:
        """Fit level, components and threshold; nothing is drawn at random."""
        del seed
        level = learn_level(batch)
        centre = np.zeros((len(batch), self.width))
        components = np.zeros((len(batch), self.width, self.kept))
        for series, windows in enumerate(learnable_windows(batch, level, self.width)):
            if len(windows) > 1:
                centre[series] = windows.mean(axis=0)
                centred = windows - centre[series]
                components[series] = np.linalg.eigh(centred.T @ centred)[1][:, -self.kept :]
        model = SubPcaModel(level.level, level.scale, centre, components, np.ones(len(batch)))
        raw = ordinary_only(model.distances(batch), batch, self.width)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance)
        return SubPcaModel(level.level, level.scale, centre, components, threshold)

    def restore(self, arrays: Arrays) -> SubPcaModel:
        """The model again."""
        return SubPcaModel.from_arrays(arrays)
