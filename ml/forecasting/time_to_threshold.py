"""When a series will cross a threshold: for disks, quotas and certificates.

In: a series and a threshold. Out: seconds until the robust trend crosses it, with bounds. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alertsite.core.samples import Floats

MAX_PAIRS = 200
SLOPE_QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Crossing:
    """Seconds from the last sample until the threshold; infinity if the trend leads away from it."""

    expected_s: float
    earliest_s: float
    latest_s: float


def time_to_threshold(values: Floats, threshold: float, *, step_s: float) -> Crossing:
    """When the trend of `values`, shape (n_points,), reaches `threshold`; 0 if the last value is beyond it.

    Rising series cross upwards, falling ones downwards: the threshold's side of the last value decides.

    References
    ----------
    P. K. Sen (1968), Estimates of the regression coefficient based on Kendall's tau, JASA 63.
    """
    present = np.flatnonzero(np.isfinite(values))
    if len(present) < 3:
        return Crossing(np.inf, np.inf, np.inf)
    chosen = present[np.unique(np.linspace(0, len(present) - 1, MAX_PAIRS).astype(int))]
    half = len(chosen) // 2
    # Values half the span apart: their slopes are steadier than those of neighbours.
    spans = (chosen[half:] - chosen[: len(chosen) - half]) * step_s
    slopes = (values[chosen[half:]] - values[chosen[: len(chosen) - half]]) / spans
    gap = threshold - float(values[present[-1]])
    low, middle, high = (_seconds(gap, slope) for slope in np.quantile(slopes, SLOPE_QUANTILES))
    return Crossing(middle, min(low, high), max(low, high))


def _seconds(gap: float, slope: float) -> float:
    if gap == 0.0:
        return 0.0
    seconds = gap / slope if slope else np.inf
    return float(seconds) if seconds > 0 else float(np.inf)
