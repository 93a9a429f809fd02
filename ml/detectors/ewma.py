"""The exponentially weighted mean: how far a value lies from its own recent past.

In: single metrics. Out: scores and bands, exactly the same incrementally as over a batch. Refused: hosts
of many metrics. A value outside the band moves the mean only as far as the band, so that a burst is not
soon the normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.bands import band, band_reason, floored, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.thresholds import tail_thresholds


@nb.njit(cache=True)
def follow(values: Floats, mean: Floats, half_width: Floats, gain: float) -> Floats:
    """What the mean was before each value, shapes (n_series, n_points); moves `mean`, shape (n_series,)."""
    expected = np.empty_like(values)
    for series in range(values.shape[0]):
        level = mean[series]
        bound = half_width[series]
        for row in range(values.shape[1]):
            expected[series, row] = level
            value = values[series, row]
            if np.isfinite(value):
                level += gain * min(max(value - level, -bound), bound)
        mean[series] = level
    return expected


@dataclass(frozen=True)
class EwmaModel(ArrayModel):
    """First mean and half width of the band, shapes (n_series,), and the gain of the mean a row."""

    level: Floats
    half_width: Floats
    gain: float

    detector: ClassVar[str] = "ewma"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """Distance from the mean of the rows before, in half widths."""
        values = single_metric(batch.values)
        expected = follow(np.ascontiguousarray(values), self.start(), self.half_width, self.gain)
        return band(values, expected, np.broadcast_to(self.half_width[:, None], values.shape))

    def start(self) -> Floats:
        """The mean of each series, from the learned level."""
        return self.level.copy()

    def step(self, state: Floats, timestamp_ms: int, values: Floats) -> Floats:
        """Score one row and move the means."""
        del timestamp_ms
        expected = follow(np.ascontiguousarray(values), state, self.half_width, self.gain)
        return band(values, expected, self.half_width[:, None]).score[:, 0]

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The distance from the recent mean."""
        return band_reason("distance from the recent mean", batch, self.score(batch), (series, row))


@dataclass(frozen=True)
class Ewma:
    """A weighted mean whose weights halve every `half_life_points` rows.

    References
    ----------
    S. W. Roberts (1959), Control chart tests based on geometric moving averages, Technometrics 1(3).
    """

    half_life_points: float = 12.0
    false_alarm_rate: float = 1e-3
    min_deviations: float = 3.5

    name: ClassVar[str] = "ewma"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> EwmaModel:
        """Fit the scale of the residuals and their threshold."""
        del seed
        values = np.ascontiguousarray(single_metric(batch.learnable()))
        level, scale = robust_level(values)
        gain = 1.0 - 0.5 ** (1.0 / self.half_life_points)
        residual = values - follow(values, level.copy(), 4.0 * scale, gain)
        _, spread = robust_level(residual)
        spread = floored(spread, level)
        raw = np.abs(residual) / spread[:, None]
        wide = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_deviations)
        return EwmaModel(level, spread * wide, gain)

    def restore(self, arrays: Arrays) -> EwmaModel:
        """The model again."""
        return EwmaModel.from_arrays(arrays)
