"""What models of single metrics share: an expected value, a scale, and a band around it.

In: values with what was expected of them. Out: `Scores` with the band, and reasons. Refused: hosts of
many metrics.
"""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import Batch, InvalidBatch, Reason, Scores

MAD_TO_SIGMA = 1.4826
"""A normal distribution's standard deviation, in median absolute deviations."""
RELATIVE_FLOOR = 1e-3
"""No scale is below this share of the level: a constant series that moves by less has not moved."""
ABSOLUTE_FLOOR = 1e-9


def single_metric(values: Floats) -> Floats:
    """Values of shape (n_series, 1, n_points) without the middle axis."""
    if values.shape[1] != 1:
        raise InvalidBatch(f"series have {values.shape[1]} metrics, this detector accepts one a series")
    return values[:, 0]


def robust_level(values: Floats) -> tuple[Floats, Floats]:
    """Median and robust standard deviation of each row; (0, 1) where nothing is present.

    The scale is the MAD's, or a third of the mean absolute deviation where most values are equal.
    """
    level, scale = np.zeros(len(values)), np.ones(len(values))
    for index, row in enumerate(values):
        present = row[np.isfinite(row)]
        if len(present):
            level[index] = np.median(present)
            distance = np.abs(present - level[index])
            scale[index] = max(MAD_TO_SIGMA * np.median(distance), np.mean(distance) / 3.0)
    return level, floored(scale, level)


def floored(scale: Floats, level: Floats) -> Floats:
    """The scale, but never so small that rounding looks like an anomaly."""
    floors: Floats = np.maximum(scale, np.maximum(RELATIVE_FLOOR * np.abs(level), ABSOLUTE_FLOOR))
    return floors


def band(values: Floats, expected: Floats, half_width: Floats) -> Scores:
    """Scores of values against `expected ± half_width`: 1 on the edge. All of shape (n_series,
    n_points).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        score = np.abs(values - expected) / half_width
    score = np.where(np.isinf(values), np.inf, score)
    return Scores(capped(score), expected, expected - half_width, expected + half_width)


MAX_SCORE = 1e6
"""Scores end here: what lies further outside is not told apart, and sums of scores stay finite."""


def capped(score: Floats) -> Floats:
    """Scores no higher than `MAX_SCORE`, NaN where there is none."""
    ends: Floats = np.minimum(score, MAX_SCORE)
    return ends


def band_reason(name: str, batch: Batch, scores: Scores, where: tuple[int, int]) -> list[Reason]:
    """The one reason a band gives: how far the value lies from what `name` expected."""
    value = float(batch.values[where[0], 0, where[1]])
    return [Reason(name, value, float(scores.score[where]))]
