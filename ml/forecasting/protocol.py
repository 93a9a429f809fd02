"""What a forecaster is: it learns from series and gives a model that tells their next values.

In: series of one spacing, NaN where a sample is missing. Out: values, shape (n_series, horizon). Refused:
a horizon that is not positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, Self

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.samples import Floats
from ml.detectors.protocol import Arrays

LEVELS: Final = (0.80, 0.95)
"""What share of futures each interval is to hold."""
LARGEST: Final = 1e100
"""Values end here, so that no sum of squares overflows."""


@dataclass(frozen=True, slots=True)
class History:
    """Series up to now.

    Attributes
    ----------
    values
        Shape (n_series, n_points), oldest first.
    day
        Points of a day.
    first
        Points from the epoch to the first value: tells the time of day and the day of the week.
    """

    values: Floats
    day: int
    first: int = 0

    @property
    def week(self) -> int:
        """Points of a week."""
        return 7 * self.day

    @property
    def points(self) -> int:
        """How many points there are."""
        return int(self.values.shape[1])

    def until(self, point: int) -> History:
        """As it was before `point`."""
        return History(self.values[:, :point], self.day, self.first)

    def filled(self) -> Floats:
        """Values where a missing one repeats the last; 0 where nothing was yet."""
        present = np.isfinite(self.values)
        places = np.where(present, np.arange(self.points), 0)
        np.maximum.accumulate(places, axis=1, out=places)
        known = np.take_along_axis(self.values, places, axis=1)
        return np.where(np.isfinite(known), np.clip(known, -LARGEST, LARGEST), 0.0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values, shape (n_series, horizon), and for each of `LEVELS` the ends of its interval.

    `lower` and `upper` have the shape (n_levels, n_series, horizon).
    """

    expected: Floats
    lower: Floats
    upper: Floats


class ForecastModel(Protocol):
    """What was learned; it tells the future of any series, those that it learned from above all."""

    @property
    def forecaster(self) -> str:
        """The name of the forecaster that learned it."""

    def predict(self, history: History, horizon: int) -> Floats:
        """The next `horizon` values of each series."""

    def to_arrays(self) -> Arrays:
        """Everything learned, for an artefact."""


class Forecaster(Protocol):
    """Learns models. Stateless; its parameters are attributes."""

    @property
    def name(self) -> str:
        """What it is called in settings, artefacts and tables."""

    def learn(self, histories: Sequence[History], horizon: int, *, seed: int) -> ForecastModel:
        """Fit one model, for up to `horizon` points ahead, to all series of all histories."""

    def restore(self, arrays: Arrays, /) -> ForecastModel:
        """The model that `to_arrays` described."""


class Unlearned:
    """Base of forecasters that need no learning: each is its own model."""

    name: ClassVar[str]

    @property
    def forecaster(self) -> str:
        """Its own name."""
        return self.name

    def learn(self, histories: Sequence[History], horizon: int, *, seed: int) -> Self:  # noqa: ARG002
        """Itself: what it knows lies in the history that it continues."""
        return self

    def to_arrays(self) -> Arrays:
        """Nothing."""
        return {}

    def restore(self, arrays: Arrays, /) -> Self:  # noqa: ARG002
        """Itself."""
        return self


def checked_horizon(horizon: int) -> int:
    """The horizon, if it is positive."""
    if horizon <= 0:
        raise InvalidParameter("horizon", horizon, "a positive number of points")
    return horizon
