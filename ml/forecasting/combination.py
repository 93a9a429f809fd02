"""The combination of forecasters, with intervals from what it missed before.

In: histories. Out: expected values and 80 and 95 % intervals. Refused: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.forecasting.boosted import Boosted
from ml.forecasting.holt_winters import HoltWinters
from ml.forecasting.protocol import LEVELS, Forecast, Forecaster, History, checked_horizon
from ml.forecasting.seasonal import SeasonalBlend


@dataclass(frozen=True)
class Combination:
    """The median of its members: one that has lost a series does not take the others with it."""

    members: Sequence[Forecaster] = field(default_factory=lambda: (SeasonalBlend(), HoltWinters(), Boosted()))

    name: ClassVar[str] = "combination"

    def predict(self, history: History, horizon: int) -> Floats:
        """The median of the members' values."""
        told = np.stack([member.predict(history, checked_horizon(horizon)) for member in self.members])
        return np.asarray(np.median(told, axis=0))


def forecast(forecaster: Forecaster, history: History, horizon: int, *, origins: int = 20) -> Forecast:
    """Expected values with intervals.

    The intervals are conformal: the quantile, over the last `origins` starts a day apart, of absolute
    errors. Errors of a third of the horizon are pooled, since nearby steps err alike.

    References
    ----------
    G. Shafer and V. Vovk (2008), A tutorial on conformal prediction, JMLR 9.
    """
    expected = forecaster.predict(history, horizon)
    missed = past_errors(SeasonalBlend(), history, horizon, origins)
    half = np.zeros((len(LEVELS), *expected.shape))
    for part in np.array_split(np.arange(horizon), 3):
        if len(part) and len(missed):
            pooled = missed[:, :, part].transpose(1, 0, 2).reshape(len(expected), -1)
            for index, level in enumerate(LEVELS):
                half[index][:, part] = np.quantile(pooled, level, axis=1)[:, None]
    return Forecast(expected, expected - half, expected + half)


def past_errors(forecaster: Forecaster, history: History, horizon: int, origins: int) -> Floats:
    """Absolute errors of forecasts that began earlier, shape (n_origins, n_series, horizon)."""
    points = history.values.shape[1]
    starts = [points - horizon - back * history.day for back in range(origins)]
    usable = [start for start in starts if start >= 2 * history.day]
    filled = history.filled()
    errors = [
        np.abs(filled[:, start : start + horizon] - forecaster.predict(history.until(start), horizon))
        for start in usable
    ]
    return np.stack(errors) if errors else np.zeros((0, len(history.values), horizon))
