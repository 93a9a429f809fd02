"""Seasonal forecasts: the same hour of days and weeks before.

In: histories. Out: what repeats. Refused: nothing; a history shorter than a season repeats what it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from alertsite.core.samples import Floats
from ml.forecasting.lags import DAYS, WEEKS
from ml.forecasting.protocol import History, Unlearned, checked_horizon

LEVEL_POINTS: Final = 6
"""Of the last points, whose mean error moves the level of a blend."""
LEVEL_DECAY: Final = 0.93
"""How much of that move is left with each point ahead."""
MEDIAN_DECAY: Final = {"daily": 0.9, "weekly": 0.8}
"""The same for medians."""


def repeated(values: Floats, season: int, horizon: int, back: int = 1) -> Floats:
    """The values `back` seasons before each of the next `horizon` points, or the oldest season there is."""
    points = values.shape[1]
    if not points:
        return np.zeros((len(values), horizon))
    season = min(season, points)
    ahead = np.arange(horizon)
    # The season that ends now, moved back by whole seasons as far as the history reaches.
    reach = max(1, min(back, points // season))
    places = points - reach * season + ahead % season
    return values[:, places]


@dataclass(frozen=True)
class SeasonalNaive(Unlearned):
    """The last day again."""

    name: ClassVar[str] = "seasonal_naive"

    def predict(self, history: History, horizon: int) -> Floats:
        """The value of the same time yesterday."""
        return repeated(history.filled(), history.day, checked_horizon(horizon))


@dataclass(frozen=True)
class SeasonalBlend(Unlearned):
    """Days and weeks before, weighed by age, on the level of the last hours.

    The weeks count only where the history holds two of them.
    """

    weeks: int = 4
    days: int = 5
    fade: float = 0.6
    week_weight: float = 0.7

    name: ClassVar[str] = "seasonal_blend"

    def predict(self, history: History, horizon: int) -> Floats:
        """The blend, moved by what it missed of the last points."""
        values, points = history.filled(), history.values.shape[1]
        blend = self._blend(values, history, checked_horizon(horizon))
        if points <= LEVEL_POINTS + history.day:
            return blend
        past = self._blend(values[:, :-LEVEL_POINTS], history, LEVEL_POINTS)
        missed = (values[:, -LEVEL_POINTS:] - past).mean(axis=1, keepdims=True)
        return np.asarray(blend + missed * LEVEL_DECAY ** np.arange(1, horizon + 1))

    def _blend(self, values: Floats, history: History, horizon: int) -> Floats:
        daily = self._faded(values, history.day, horizon, self.days)
        if values.shape[1] < 2 * history.week:
            return np.asarray(daily)
        weekly = self._faded(values, history.week, horizon, self.weeks)
        return np.asarray(self.week_weight * weekly + (1.0 - self.week_weight) * daily)

    def _faded(self, values: Floats, season: int, horizon: int, count: int) -> Floats:
        count = max(1, min(count, values.shape[1] // max(season, 1)))
        weights = self.fade ** np.arange(count)
        past = np.stack([repeated(values, season, horizon, back) for back in range(1, count + 1)])
        return np.asarray(np.tensordot(weights / weights.sum(), past, axes=1), np.float64)


@dataclass(frozen=True)
class SeasonalMedian(Unlearned):
    """The median of the same time of the last days, or weeks, on the level of the last hours.

    A day or week that was broken moves a median little.
    """

    season: Literal["daily", "weekly"] = "daily"

    @property
    def name(self) -> str:  # type: ignore[override]
        """`daily_median` or `weekly_median`."""
        return f"{self.season}_median"

    def predict(self, history: History, horizon: int) -> Floats:
        """The median, moved by what it missed of the last points."""
        values = history.filled()
        if not history.points:
            return np.zeros((len(values), checked_horizon(horizon)))
        told = self._middle(values, history, checked_horizon(horizon))
        if history.points <= LEVEL_POINTS + history.day:
            return told
        past = self._middle(values[:, :-LEVEL_POINTS], history, LEVEL_POINTS)
        missed = (values[:, -LEVEL_POINTS:] - past).mean(axis=1, keepdims=True)
        decay = MEDIAN_DECAY[self.season] ** np.arange(1, horizon + 1)
        return np.asarray(told + missed * decay)

    def _middle(self, values: Floats, history: History, horizon: int) -> Floats:
        season, count = (history.day, DAYS) if self.season == "daily" else (history.week, WEEKS)
        count = max(1, min(count, values.shape[1] // season))
        past = [repeated(values, season, horizon, back) for back in range(1, count + 1)]
        return np.asarray(np.median(np.stack(past), axis=0))
