"""The combination of forecasters, with intervals from what it missed before.

In: histories. Out: expected values and 80 and 95 % intervals. Refused: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import Arrays
from ml.forecasting.boosted import Boosted
from ml.forecasting.protocol import LEVELS, Forecast, Forecaster, ForecastModel, History, checked_horizon
from ml.forecasting.similar_days import SimilarDays

ORIGINS: Final = 20
"""Earlier forecasts, a day apart, whose errors make the intervals."""
PARTS: Final = 3
"""Of a horizon: near points err alike, and less than far ones."""


@dataclass(frozen=True)
class CombinedModel:
    """The median of its members: one that has lost a series does not take the others with it."""

    members: Sequence[ForecastModel]
    forecaster: ClassVar[str] = "auto"

    def predict(self, history: History, horizon: int) -> Floats:
        """The median of the members' values."""
        told = np.stack([member.predict(history, checked_horizon(horizon)) for member in self.members])
        return np.asarray(np.median(told, axis=0))

    def to_arrays(self) -> Arrays:
        """The arrays of all members, each below its number."""
        return {
            f"{number}.{name}": array
            for number, member in enumerate(self.members)
            for name, array in member.to_arrays().items()
        }


@dataclass(frozen=True)
class Combination:
    """Two sets of trees that drew other rows, and two searches for similar days."""

    members: Sequence[Forecaster] = field(
        default_factory=lambda: (
            Boosted(),
            Boosted(rounds=300, leaves=15),
            SimilarDays(),
            SimilarDays(hours=12),
        )
    )

    name: ClassVar[str] = "auto"

    def learn(self, histories: Sequence[History], horizon: int, *, seed: int) -> CombinedModel:
        """Have each member learn, with a seed of its own."""
        return CombinedModel(
            [
                member.learn(histories, horizon, seed=seed + number)
                for number, member in enumerate(self.members)
            ]
        )

    def restore(self, arrays: Arrays, /) -> CombinedModel:
        """The model again."""
        parts: list[Arrays] = [{} for _ in self.members]
        for name, array in arrays.items():
            number, _, rest = name.partition(".")
            parts[int(number)][rest] = array
        return CombinedModel([member.restore(part) for member, part in zip(self.members, parts, strict=True)])


def forecast(model: ForecastModel, history: History, horizon: int, *, origins: int = ORIGINS) -> Forecast:
    """Expected values with intervals from what the model missed of the last `origins` days.

    Where it learned from those days the intervals are too narrow: have it learn without them.
    """
    return with_intervals(
        model.predict(history, checked_horizon(horizon)), past_errors(model, history, horizon, origins)
    )


def with_intervals(expected: Floats, missed: Floats) -> Forecast:
    """Conformal intervals: quantiles of absolute errors, pooled over a third of the horizon.

    Parameters
    ----------
    expected
        Shape (n_series, horizon).
    missed
        Absolute errors of earlier forecasts, shape (n_origins, n_series, horizon).

    References
    ----------
    G. Shafer and V. Vovk (2008), A tutorial on conformal prediction, JMLR 9.
    """
    half = np.zeros((len(LEVELS), *expected.shape))
    for part in np.array_split(np.arange(expected.shape[1]), PARTS):
        if len(part) and len(missed):
            pooled = missed[:, :, part].transpose(1, 0, 2).reshape(len(expected), -1)
            half[:, :, part] = np.quantile(pooled, LEVELS, axis=1)[:, :, None]
    return Forecast(expected, expected - half, expected + half)


def past_errors(model: ForecastModel, history: History, horizon: int, origins: int) -> Floats:
    """Absolute errors of forecasts that began earlier, shape (n_origins, n_series, horizon)."""
    starts = [history.points - horizon - back * history.day for back in range(origins)]
    usable = [start for start in starts if start >= 2 * history.day]
    filled = history.filled()
    errors = [
        np.abs(filled[:, start : start + horizon] - model.predict(history.until(start), horizon))
        for start in usable
    ]
    return np.stack(errors) if errors else np.zeros((0, len(history.values), horizon))
