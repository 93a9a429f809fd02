"""What models of hosts share: all metrics of a host on one scale, and thresholds for distances.

In: hosts of many metrics in any units. Out: deviations in which a metric that hardly ever moves cannot
drown the rest. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alertsite.core.samples import Bools, Floats
from ml.detectors.bands import ABSOLUTE_FLOOR, RELATIVE_FLOOR, capped
from ml.detectors.protocol import ArrayModel, Batch, Reason

RANGE_SHARE = 0.05
"""A metric's scale is its standard deviation and this share of its range: measured best from 1 to 10 %."""
MAX_DEVIATION = 1e3
"""Deviations end here, so that one exploding metric leaves the others visible."""


@dataclass(frozen=True)
class Scaling(ArrayModel):
    """Level and scale of each metric of each host, shapes (n_series, n_metrics)."""

    level: Floats
    scale: Floats

    def deviations(self, batch: Batch) -> Floats:
        """Shape (n_series, n_points, n_metrics); 0 where a sample is missing."""
        values = np.clip(batch.values, -1e300, 1e300)
        deviations = (values - self.level[:, :, None]) / self.scale[:, :, None]
        deviations = np.nan_to_num(deviations, nan=0.0, posinf=MAX_DEVIATION, neginf=-MAX_DEVIATION)
        return np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION).transpose(0, 2, 1)


def learn_scaling(values: Floats) -> Scaling:
    """Mean, and standard deviation plus a share of the range, of values (n_series, n_metrics, n_points)."""
    present = np.isfinite(values)
    count = np.maximum(present.sum(axis=2), 1)
    known = np.where(present, values, 0.0)
    level = known.sum(axis=2) / count
    spread = np.sqrt(np.where(present, (known - level[:, :, None]) ** 2, 0.0).sum(axis=2) / count)
    scale = spread + RANGE_SHARE * natural_range(values, present)
    return Scaling(level, np.maximum(scale, np.maximum(RELATIVE_FLOOR * np.abs(level), ABSOLUTE_FLOOR)))


def natural_range(values: Floats, present: Bools) -> Floats:
    """Highest less lowest value, shape (n_series, n_metrics); 1 for a metric that looks like a share of
    1.
    """
    if not values.shape[2]:
        return np.ones(values.shape[:2])
    low = np.where(present, values, np.inf).min(axis=2)
    high = np.where(present, values, -np.inf).max(axis=2)
    span = np.where(high >= low, high - low, 0.0)
    is_share = (low >= 0.0) & (high <= 1.0)
    return np.where(is_share | (span <= 0.0), np.maximum(1.0, RELATIVE_FLOOR * np.abs(high)), span)


def absent(batch: Batch) -> Bools:
    """Rows of which every metric is missing, shape (n_series, n_points)."""
    return np.asarray(np.all(np.isnan(batch.values), axis=1))


def rows_to_learn(batch: Batch) -> Bools:
    """Rows that have a sample and are not excluded, shape (n_series, n_points)."""
    return np.asarray(np.any(np.isfinite(batch.learnable()), axis=1))


def judged(distance: Floats, threshold: Floats, batch: Batch) -> Floats:
    """Distances in thresholds, NaN where the whole row is missing."""
    return capped(np.where(absent(batch), np.nan, distance / threshold[:, None]))


def metric_reasons(contributions: Floats, values: Floats, score: float) -> list[Reason]:
    """Which metrics make the score, strongest first: each as the score it would have by itself.

    `contributions` and `values` have the shape (n_metrics,); squares of contributions add up.
    """
    total = max(float(np.sum(contributions**2)), ABSOLUTE_FLOOR)
    order = np.argsort(-np.abs(contributions), kind="stable")
    return [
        Reason(
            f"metric {index}", float(values[index]), score * float(np.abs(contributions[index])) / total**0.5
        )
        for index in order[:5]
    ]
