"""Holt-Winters: a level, a damped trend and a day's season, each exponentially smoothed.

In: histories. Out: their continuation. Refused: nothing; a history of less than two days keeps its level.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Final

import numba as nb
import numpy as np

from alertsite.core.samples import Floats
from ml.forecasting.protocol import History, Unlearned, checked_horizon

TREND_GAIN: Final = 0.01
DAMPING: Final = 0.9
DAYS_FOLLOWED: Final = 56
"""What is older has faded; following it would only cost time."""


@nb.njit(cache=True)
def smooth(values: Floats, season: Floats, gains: Floats, ahead: Floats) -> float:
    """Follow one series; fill `ahead` with what comes. Returns the sum of absolute errors of one point
    ahead.

    `season` has the shape (day,) and is changed; `gains` are those of level and season.
    """
    day = len(season)
    level, trend, error = values[:day].mean(), 0.0, 0.0
    for point in range(day, len(values)):
        place = point % day
        error += abs(values[point] - level - season[place])
        before = level
        level += DAMPING * trend + gains[0] * (values[point] - season[place] - level - DAMPING * trend)
        trend = DAMPING * trend + TREND_GAIN * (level - before - DAMPING * trend)
        season[place] += gains[1] * (values[point] - level - season[place])
    drift = 0.0
    for step in range(len(ahead)):
        drift += trend * DAMPING ** (step + 1)
        ahead[step] = level + drift + season[(len(values) + step) % day]
    return error


@dataclass(frozen=True)
class HoltWinters(Unlearned):
    """Additive smoothing with the gains, of a small grid, that would have served the series best.

    References
    ----------
    P. R. Winters (1960), Forecasting sales by exponentially weighted moving averages, Management
    Science 6(3).
    """

    level_gains: tuple[float, ...] = (0.05, 0.2, 0.5)
    season_gains: tuple[float, ...] = (0.05, 0.15, 0.3)

    name: ClassVar[str] = "holt_winters"

    def predict(self, history: History, horizon: int) -> Floats:
        """The continuation of each series."""
        values = history.filled()[:, -DAYS_FOLLOWED * history.day :]
        ahead = np.zeros((len(values), checked_horizon(horizon)))
        for index, series in enumerate(values):
            ahead[index] = self._one(np.ascontiguousarray(series), history.day, horizon)
        return ahead

    def _one(self, series: Floats, day: int, horizon: int) -> Floats:
        if len(series) < 2 * day:
            return np.full(horizon, series[-1] if len(series) else 0.0)
        best, chosen = np.inf, np.zeros(horizon)
        for gains in product(self.level_gains, self.season_gains):
            ahead = np.zeros(horizon)
            error = smooth(series, series[:day] - series[:day].mean(), np.array(gains), ahead)
            if error < best:
                best, chosen = error, ahead
        return chosen
