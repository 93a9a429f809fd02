"""Principal components of sub-sequences: what of a window no combination of ordinary shapes explains.

In: single metrics. Out: scores of the window that ends at each row, with the value its shape would
expect. Refused: hosts of many metrics.
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
class SubPcaModel(SubsequenceModel):
    """Components (n_series, width, n_kept) beside what all models of sub-sequences have."""

    components: Floats

    detector: ClassVar[str] = "sub_pca"
    reason: ClassVar[str] = "part of the window that ordinary shapes leave"

    def deviating(self, series: int, windows: Floats) -> Floats:
        """What the components leave unexplained, a part a row."""
        centred = windows - self.centre[series]
        components = self.components[series]
        rest: Floats = centred - (centred @ components) @ components.T
        return rest


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
        model = SubPcaModel(level.level, level.scale, centre, np.ones(len(batch)), components)
        raw = ordinary_only(model.distances(batch), batch, self.width)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance)
        return replace(model, threshold=threshold)

    def restore(self, arrays: Arrays) -> SubPcaModel:
        """The model again."""
        return SubPcaModel.from_arrays(arrays)
