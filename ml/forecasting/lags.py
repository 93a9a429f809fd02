"""What a value ahead is compared with: the same time of days and weeks before, and the last points.

In: one series and moments in it. Out: rows of features, relative to the level and scale of the week before
each moment. Refused: moments with less than `FIRST_DAYS` before them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.samples import Floats, Ints

DAYS: Final = 5
WEEKS: Final = 4
FADE: Final = 0.6
WEEK_WEIGHT: Final = 0.7
FIRST_DAYS: Final = 15
SCALE_FLOOR: Final = 1e-9
RECENT_HOURS: Final = (1, 3, 6, 12, 24, 72)
LEVEL_HOURS: Final = (6, 24, 72)


def faded(past: Floats) -> Floats:
    """The mean of shape (n_seasons, n_points) over seasons, the newest first and heaviest."""
    weights = FADE ** np.arange(len(past))
    return np.asarray(weights @ past / weights.sum())


def seasons_before(values: Floats, season: int, count: int, skip: int, absent: Floats) -> Floats:
    """For each point the values `skip + season`, `skip + 2 season`, ... before; shape (count, n_points).

    Where the series had not begun, the next newer season stands in, and `absent` for the newest.
    """
    found = np.empty((count, len(values)))
    newer = absent
    for number in range(count):
        lag = skip + season * (number + 1)
        found[number] = newer
        if lag < len(values):
            found[number, lag:] = values[:-lag]
        newer = found[number]
    return found


@dataclass(frozen=True, slots=True)
class Bases:
    """What the time of a point says of it, shape (10, n_points), without the last `block + 1` days."""

    rows: Floats

    @classmethod
    def of(cls, values: Floats, day: int, block: int) -> Bases:
        """For targets from `block` to `block + 1` days ahead."""
        start = np.full(len(values), values[0] if len(values) else 0.0)
        daily = seasons_before(values, day, DAYS, block * day, start)
        weekly = seasons_before(values, 7 * day, WEEKS, 0, daily[0])
        by_day, by_week = faded(daily), faded(weekly)
        blend = WEEK_WEIGHT * by_week + (1.0 - WEEK_WEIGHT) * by_day
        middles = (np.median(weekly, axis=0), np.median(daily, axis=0))
        return cls(np.stack([blend, by_week, by_day, *middles, *daily[:3], *weekly[:2]]))


PLAIN: Final = (0, 3, 5)
"""Of the bases, those whose errors of the last hours are features: blend, weekly median, yesterday."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Features (n_rows, n_features), and what a value is relative to, shapes (n_rows,)."""

    features: Floats
    level: Floats
    scale: Floats


class Lags:
    """One series, prepared so that rows of features cost little.

    Parameters
    ----------
    values
        Shape (n_points,), all finite.
    day, first
        As of a `History`.
    horizon
        The farthest point ahead that is asked for.
    """

    def __init__(self, values: Floats, day: int, first: int, horizon: int) -> None:
        self.values, self.day, self.first = values, day, first
        padded = np.concatenate([values, np.full(horizon, np.nan)])
        blocks = range(-(-horizon // day))
        self._bases = np.stack([Bases.of(padded, day, block).rows for block in blocks])
        self._padded = padded
        known = self._bases[0][list(PLAIN), : len(values)]
        self._errors = values - known
        self._sums = np.concatenate([np.zeros((len(PLAIN), 1)), np.cumsum(self._errors, axis=1)], axis=1)
        self._total = np.concatenate([[0.0], np.cumsum(values)])
        week = 7 * day
        windows = np.lib.stride_tricks.sliding_window_view(values, week)
        self._level = np.median(windows, axis=1)
        spread = np.abs(windows - self._level[:, None]).mean(axis=1)
        self._scale = np.maximum(spread, SCALE_FLOOR + 1e-3 * np.abs(self._level))
        self._rough = windows.std(axis=1) / self._scale

    def rows(self, origins: Ints, ahead: Ints) -> Rows:
        """Features of the values `ahead` points after the first unknown one, `origins`; shapes (n_rows,)."""
        week, target, block = 7 * self.day, origins + ahead, ahead // self.day
        level, scale = self._level[origins - week], self._scale[origins - week]
        bases = self._bases[block, :, target].T
        beside = [self._padded[target - lag] for lag in (self.day * (block + 1) + 1, week - 1, week + 1)]
        last = [self.values[origins - back] for back in (1, 2, 3)]
        means = [self._mean(origins, hours) for hours in LEVEL_HOURS]
        relative = (np.stack([*bases, *beside, *last, *means]) - level) / scale
        errors = [self._recent(origins, hours) for hours in RECENT_HOURS]
        before = self._errors[:, target - self.day * (block + 1)]
        missed = np.concatenate([*errors, before]) / scale
        time = (target + self.first) % self.day, (target + self.first) // self.day % 7
        calendar = np.stack([ahead, *time, self._rough[origins - week]])
        return Rows(np.concatenate([relative, missed, calendar]).T, level, scale)

    def _points(self, hours: int) -> int:
        return max(hours * self.day // 24, 1)

    def _mean(self, origins: Ints, hours: int) -> Floats:
        points = self._points(hours)
        return np.asarray((self._total[origins] - self._total[origins - points]) / points)

    def _recent(self, origins: Ints, hours: int) -> Floats:
        """Mean errors of the bases over the last hours, shape (n_plain, n_rows)."""
        points = self._points(hours)
        return np.asarray((self._sums[:, origins] - self._sums[:, origins - points]) / points)
