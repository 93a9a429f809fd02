"""The robust z-score: how many robust standard deviations a value lies from the median of ordinary time.

In: single metrics. Out: scores and bands that need no earlier rows. Refused: hosts of many metrics. This
is what scoring falls back to when a model is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.bands import band, band_reason, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.thresholds import tail_thresholds


@dataclass(frozen=True)
class RobustZScoreModel(ArrayModel):
    """Level and half width of the band, shapes (n_series,)."""

    level: Floats
    half_width: Floats

    detector: ClassVar[str] = "robust_zscore"
    context: ClassVar[int] = 0

    def score(self, batch: Batch) -> Scores:
        """Distance from the level, in half widths."""
        values = single_metric(batch.values)
        expected = np.broadcast_to(self.level[:, None], values.shape)
        return band(values, expected, np.broadcast_to(self.half_width[:, None], values.shape))

    def start(self) -> None:
        """Nothing is remembered."""

    def step(self, state: None, timestamp_ms: int, values: Floats) -> Floats:
        """Score one row, which needs no state and no time."""
        del state, timestamp_ms
        return band(values, self.level[:, None], self.half_width[:, None]).score[:, 0]

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The distance from the median."""
        return band_reason("distance from the median", batch, self.score(batch), (series, row))


@dataclass(frozen=True)
class RobustZScore:
    """Median and MAD, with a threshold that ordinary rows pass once in `1 / false_alarm_rate`.

    References
    ----------
    B. Iglewicz and D. Hoaglin (1993), How to detect and handle outliers.
    """

    false_alarm_rate: float = 1e-3
    min_deviations: float = 3.5

    name: ClassVar[str] = "robust_zscore"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> RobustZScoreModel:
        """Fit level, scale and threshold; nothing is drawn at random."""
        del seed
        values = single_metric(batch.learnable())
        level, scale = robust_level(values)
        raw = np.abs(values - level[:, None]) / scale[:, None]
        wide = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_deviations)
        return RobustZScoreModel(level, scale * wide)

    def restore(self, arrays: Arrays) -> RobustZScoreModel:
        """The model again."""
        return RobustZScoreModel.from_arrays(arrays)
