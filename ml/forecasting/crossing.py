"""How probable it is that a forecast series meets a condition.

In: a forecast with intervals, an operator and a bound. Out: a probability for each point ahead. Refused:
operators that are no order. The 80 % interval is read as that of a normal distribution.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Floats
from ml.forecasting.protocol import LEVELS, Forecast

ABOVE: Final = frozenset({">", ">="})
BELOW: Final = frozenset({"<", "<="})
DEVIATIONS: Final = NormalDist().inv_cdf(0.5 + LEVELS[0] / 2)
"""Half an 80 % interval, in standard deviations."""
LEAST_WIDTH: Final = 1e-9


def crossing_chance(told: Forecast, operator: str, bound: float) -> Floats:
    """The probability at each point that `value operator bound`, shape (n_series, horizon).

    Raises
    ------
    InvalidParameter
        If the operator is none of `<`, `<=`, `>`, `>=`.
    """
    if operator not in ABOVE | BELOW:
        raise InvalidParameter("operator", operator, "one of <, <=, >, >=")
    width = (told.upper[0] - told.lower[0]) / 2.0 / DEVIATIONS
    width = np.maximum(np.nan_to_num(width), LEAST_WIDTH * (1.0 + np.abs(told.expected)))
    distance = (told.expected - bound) / width
    above = np.array([[NormalDist().cdf(one) for one in row] for row in distance.tolist()])
    return np.asarray(above if operator in ABOVE else 1.0 - above)
