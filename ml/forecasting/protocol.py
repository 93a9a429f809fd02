"""What a forecaster is: it learns from series of one grid and tells their next values.

In: series of one spacing, NaN where a sample is missing. Out: values, shape (n_series, horizon). Refused:
a horizon that is not positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Floats

LEVELS = (0.80, 0.95)
"""What share of futures each interval is to hold."""


@dataclass(frozen=True, slots=True)
class History:
    """Series up to now.

    Attributes
    ----------
    values
        Shape (n_series, n_points), oldest first.
    day, week
        Points of a day and of a week.
    """

    values: Floats
    day: int

    @property
    def week(self) -> int:
        """Points of a week."""
        return 7 * self.day

    def until(self, point: int) -> History:
        """As it was before `point`."""
        return History(self.values[:, :point], self.day)

    def filled(self) -> Floats:
        """Values where a missing one repeats the last; 0 where nothing was yet."""
        present = np.isfinite(self.values)
        places = np.where(present, np.arange(self.values.shape[1]), 0)
        np.maximum.accumulate(places, axis=1, out=places)
        known = np.take_along_axis(self.values, places, axis=1)
        return np.where(np.isfinite(known), known, 0.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values, shape (n_series, horizon), and for each of `LEVELS` the ends of its interval.

    `lower` and `upper` have the shape (n_levels, n_series, horizon).
    """

    expected: Floats
    lower: Floats
    upper: Floats


class Forecaster(Protocol):
    """Tells the next values. Stateless between calls; its parameters are attributes."""

    name: ClassVar[str]

    def predict(self, history: History, horizon: int) -> Floats:
        """The next `horizon` values of each series."""


def checked_horizon(horizon: int) -> int:
    """The horizon, if it is positive."""
    if horizon <= 0:
        raise InvalidParameter("horizon", horizon, "a positive number of points")
    return horizon
