"""Windows of single metrics: the last rows before each row, on the scale of ordinary time.

In: single metrics. Out: arrays of windows, in pieces that fit a cache. Refused: hosts of many metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from alertsite.core.samples import Floats
from ml.detectors.bands import capped, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Batch

CHUNK_ROWS = 8192
MAX_DEVIATION = 1e3
MAX_LEARNED_WINDOWS = 5000
"""Windows a model is fitted to; they are taken evenly over the training span."""
DEVIATIONS_TO_LEARN = 20.0
"""Deviations end here while learning, so that one spike does not become a direction of its own."""


@dataclass(frozen=True)
class Level(ArrayModel):
    """Median and robust standard deviation of each series, shapes (n_series,)."""

    level: Floats
    scale: Floats

    def deviations(self, batch: Batch) -> Floats:
        """Shape (n_series, n_points); 0, the usual, where a sample is missing."""
        values = np.clip(single_metric(batch.values), -1e300, 1e300)
        deviations = (values - self.level[:, None]) / self.scale[:, None]
        return np.clip(np.nan_to_num(deviations, nan=0.0), -MAX_DEVIATION, MAX_DEVIATION)


def learn_level(batch: Batch) -> Level:
    """Level and scale of what may be learned."""
    return Level(*robust_level(single_metric(batch.learnable())))


def learnable_windows(batch: Batch, level: Level, width: int) -> Iterator[Floats]:
    """For each series the windows without missing or excluded rows, shape (n_windows, width)."""
    known = single_metric(batch.learnable())
    deviations = level.deviations(batch)
    for series in range(len(batch)):
        if batch.points < width:
            yield np.empty((0, width))
            continue
        complete = ~np.isnan(sliding_window_view(known[series], width)).any(axis=1)
        chosen = np.flatnonzero(complete)
        chosen = chosen[:: max(1, len(chosen) // MAX_LEARNED_WINDOWS)]
        windows = sliding_window_view(deviations[series], width)[chosen]
        yield np.clip(windows, -DEVIATIONS_TO_LEARN, DEVIATIONS_TO_LEARN)


def ordinary_only(raw: Floats, batch: Batch, width: int) -> Floats:
    """Raw distances, NaN where the window holds a missing or excluded row: thresholds are not learned
    from it.
    """
    unfit = np.cumsum(np.isnan(single_metric(batch.learnable())), axis=1)
    before = np.pad(unfit, ((0, 0), (width, 0)))[:, : unfit.shape[1]]
    return np.where(unfit > before, np.nan, raw)


def over_windows(deviations: Floats, width: int, distance: Callable[[int, Floats], Floats]) -> Floats:
    """`distance(series, windows)` of the window that ends at each row; 0 before the first is full."""
    raw = np.zeros_like(deviations)
    for series, row in enumerate(deviations):
        if len(row) >= width:
            windows = sliding_window_view(row, width)
            for start in range(0, len(windows), CHUNK_ROWS):
                piece = windows[start : start + CHUNK_ROWS]
                first = width - 1 + start
                raw[series, first : first + len(piece)] = distance(series, piece)
    return raw


def judged(raw: Floats, threshold: Floats, batch: Batch) -> Floats:
    """Raw distances in thresholds, NaN where the sample is missing."""
    missing = np.isnan(single_metric(batch.values))
    return capped(np.where(missing, np.nan, raw / threshold[:, None]))
