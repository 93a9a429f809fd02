"""Similar days: what followed when the last hours looked as they do now.

In: histories. Out: their continuation. Refused: nothing; a history with fewer than `NEAREST` days to choose
from goes on as the median of its days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.samples import Floats, Ints
from ml.forecasting.protocol import History, Unlearned, checked_horizon
from ml.forecasting.seasonal import SeasonalMedian

NEAREST: Final = 5
"""Days that are followed."""
DAYS_SEARCHED: Final = 100
SAME_WEEKDAY: Final = 0.8
"""What the distance of a day of the same weekday is multiplied by."""
LEVEL_HOURS: Final = 6
"""Of the last hours, whose mean moves a day that is followed to the level of now."""
LEVEL_DECAY: Final = 0.9
"""How much of that move is left with each hour ahead."""


@dataclass(frozen=True)
class SimilarDays(Unlearned):
    """The median of what followed the days whose last hours, at this time of day, were nearest to the last
    hours now.

    References
    ----------
    E. N. Lorenz (1969), Atmospheric predictability as revealed by naturally occurring analogues, Journal of
    the Atmospheric Sciences 26(4).
    """

    hours: int = 24

    @property
    def name(self) -> str:  # type: ignore[override]
        """`similar_days` or, by other hours, such as `similar_days_12`."""
        return "similar_days" if self.hours == 24 else f"similar_days_{self.hours}"

    def predict(self, history: History, horizon: int) -> Floats:
        """The continuation of each series."""
        reach = min(checked_horizon(horizon), history.week)
        shown = max(self.hours * history.day // 24, 1)
        ends = _ends(history, shown, reach)
        if len(ends) < NEAREST:
            return SeasonalMedian("daily").predict(history, horizon)
        like = np.where((history.points - ends) % history.week == 0, SAME_WEEKDAY, 1.0)
        left = LEVEL_DECAY ** (np.arange(1, reach + 1) * 24 / history.day)
        level = max(LEVEL_HOURS * history.day // 24, 1)
        told = np.empty((len(history.values), reach))
        for index, series in enumerate(history.filled()):
            before = series[ends[:, None] + np.arange(-shown, 0)]
            apart = np.abs(before - series[-shown:]).mean(axis=1) * like
            nearest = np.argsort(apart, kind="stable")[:NEAREST]
            moved = series[-shown:][-level:].mean() - before[nearest, -level:].mean(axis=1)
            after = series[ends[nearest][:, None] + np.arange(reach)]
            told[index] = np.median(after + moved[:, None] * left, axis=0)
        return told[:, np.arange(horizon) % reach]


def _ends(history: History, shown: int, reach: int) -> Ints:
    """Points whole days ago, the newest first, with `shown` points before them and `reach` known after."""
    newest = -(-reach // history.day)
    days = np.arange(newest, newest + DAYS_SEARCHED, dtype=np.int64)
    ends = history.points - days * history.day
    return np.asarray(ends[ends >= shown])
