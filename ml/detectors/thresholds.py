"""Thresholds from scores of ordinary time, so that each model's score can be divided by its own.

In: raw scores that grow with strangeness, NaN where there is none. Out: a positive threshold a series
that ordinary rows pass with a given probability. Refused: a probability outside (0, 1).
"""

from __future__ import annotations

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Floats

TAIL_SHARE = 0.02
"""The share of the highest scores to which the exponential tail is fitted."""


def tail_thresholds(raw: Floats, *, false_alarm_rate: float, floor: float) -> Floats:
    """The level that a row of ordinary time passes with probability `false_alarm_rate`.

    Beyond the `1 - TAIL_SHARE` quantile an exponential tail is assumed, whose mean excess is the median
    excess over ln 2: robust against the few anomalies a training span may hold. A threshold is at least
    `floor`.

    Parameters
    ----------
    raw
        Shape (n_series, n_points). NaN is left out; a series without scores gets the floor.

    Returns
    -------
    Shape (n_series,).

    References
    ----------
    A. Siffer et al. (2017), Anomaly detection in streams with extreme value theory, KDD.
    """
    if not 0.0 < false_alarm_rate < 1.0:
        raise InvalidParameter("false_alarm_rate", false_alarm_rate, "a probability between 0 and 1")
    thresholds = np.full(len(raw), float(floor))
    for index, row in enumerate(raw):
        present = row[np.isfinite(row)]
        if len(present):
            thresholds[index] = max(floor, _tail(present, false_alarm_rate))
    return thresholds


def _tail(present: Floats, rate: float) -> float:
    if rate >= TAIL_SHARE:
        return float(np.quantile(present, 1.0 - rate))
    start = float(np.quantile(present, 1.0 - TAIL_SHARE))
    excess = present[present > start] - start
    if not len(excess):
        return start
    mean_excess = float(np.median(excess)) / np.log(2.0)
    return float(start + mean_excess * np.log(TAIL_SHARE / rate))
