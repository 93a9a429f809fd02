"""Quantiles by time of day: what is ordinary at three in the morning is not at noon.

In: single metrics. Out: scores and bands that need the time, not earlier rows. Refused: hosts of many
metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats, Ints
from ml.detectors.bands import MAD_TO_SIGMA, band, band_reason, floored, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.thresholds import tail_thresholds

DAY_MS = 86_400_000
MIN_VALUES = 3
"""Values a time of day needs before it has an opinion of its own."""


def bins_of(timestamps_ms: Ints, bins: int) -> Ints:
    """Which of `bins` equal parts of its UTC day each time falls into."""
    which: Ints = timestamps_ms % DAY_MS * bins // DAY_MS
    return which


@dataclass(frozen=True)
class SeasonalQuantileModel(ArrayModel):
    """Median and half width of the band at each time of day, shapes (n_series, n_bins), float32."""

    median: np.ndarray[tuple[int, int], np.dtype[np.float32]]
    half_width: np.ndarray[tuple[int, int], np.dtype[np.float32]]

    detector: ClassVar[str] = "seasonal_quantile"
    context: ClassVar[int] = 0

    def score(self, batch: Batch) -> Scores:
        """Distance from the time of day's median, in half widths."""
        which = bins_of(batch.timestamps_ms, self.median.shape[1])
        expected = self.median[:, which].astype(np.float64)
        return band(single_metric(batch.values), expected, self.half_width[:, which].astype(np.float64))

    def start(self) -> None:
        """Nothing is remembered."""

    def step(self, state: None, timestamp_ms: int, values: Floats) -> Floats:
        """Score one row by its time of day."""
        del state
        which = bins_of(np.array([timestamp_ms]), self.median.shape[1])
        expected = self.median[:, which].astype(np.float64)
        return band(values, expected, self.half_width[:, which].astype(np.float64)).score[:, 0]

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The distance from what this time of day usually shows."""
        name = "distance from the median of this time of day"
        return band_reason(name, batch, self.score(batch), (series, row))


@dataclass(frozen=True)
class SeasonalQuantile:
    """Median and interquartile range of each of `bins` parts of the day, shrunk towards the whole day's."""

    bins: int = 48
    false_alarm_rate: float = 1e-3
    min_deviations: float = 3.5

    name: ClassVar[str] = "seasonal_quantile"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> SeasonalQuantileModel:
        """Fit each time of day, then one threshold a series over all."""
        del seed
        values = single_metric(batch.learnable())
        which = bins_of(batch.timestamps_ms, self.bins)
        level, scale = robust_level(values)
        median, spread = np.tile(level[:, None], self.bins), np.tile(scale[:, None], self.bins)
        for each in np.unique(which):
            self._learn_bin(values[:, which == each], median[:, each], spread[:, each])
        spread = floored(spread, level[:, None])
        raw = np.abs(values - median[:, which]) / spread[:, which]
        wide = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_deviations)
        return SeasonalQuantileModel(median.astype(np.float32), (spread * wide[:, None]).astype(np.float32))

    @staticmethod
    def _learn_bin(values: Floats, median: Floats, spread: Floats) -> None:
        """Overwrite one column of medians and spreads where a series has values at this time of day."""
        for index, row in enumerate(values):
            present = row[np.isfinite(row)]
            if len(present) >= MIN_VALUES:
                median[index] = np.median(present)
                own = MAD_TO_SIGMA * np.median(np.abs(present - median[index]))
                # A quarter of the whole day's spread stays: a few days say little about an hour's tails.
                spread[index] = 0.75 * own + 0.25 * spread[index]

    def restore(self, arrays: Arrays) -> SeasonalQuantileModel:
        """The model again."""
        return SeasonalQuantileModel.from_arrays(arrays)
