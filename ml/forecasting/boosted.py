"""Gradient boosting on lags: one model for all series and all horizons.

In: histories of at least three weeks. Out: their continuation. Refused: nothing; where the history is too
short it gives what a seasonal blend gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from alertsite.core.samples import Floats, Ints
from ml.forecasting.protocol import History, checked_horizon
from ml.forecasting.seasonal import SeasonalBlend

MAX_ROWS: Final = 40_000
SCALE_FLOOR: Final = 1e-9


def lag_features(values: Floats, origins: Ints, ahead: Ints, day: int) -> tuple[Floats, Floats, Floats]:
    """Features of (series, origin, step ahead) rows, and the level and scale that they are relative to.

    `values` is one series; `origins` and `ahead` have the shape (n_rows,); an origin needs three weeks
    before it.
    """
    week = 7 * day
    windows = np.lib.stride_tricks.sliding_window_view(values, week)
    before = windows[origins - week]
    level = before.mean(axis=1)
    scale = np.maximum(before.std(axis=1), SCALE_FLOOR + 1e-3 * np.abs(level))
    target = origins + ahead
    # The last whole season before the origin that has the target's time of day, or of week.
    daily = [target - day * (ahead // day + back) for back in (1, 2, 3)]
    weekly = [target - week * (ahead // week + back) for back in (1, 2)]
    lags = np.stack([values[places] for places in (*daily, *weekly, origins - 1, origins - 2)], axis=1)
    recent = np.stack([before[:, -width:].mean(axis=1) for width in (6, day)], axis=1)
    shape = (np.concatenate([lags, recent], axis=1) - level[:, None]) / scale[:, None]
    at_origin = (values[origins - 1] - values[origins - 1 - day]) / scale
    return np.column_stack([shape, at_origin, ahead, target % day, target // day % 7]), level, scale


@dataclass(frozen=True)
class Boosted:
    """Fits at each call, on what the histories showed; the seed fixes which rows are drawn.

    References ---------- J. H. Friedman (2001), Greedy function approximation: a gradient boosting
    machine, Annals of Statistics 29(5).
    """

    seed: int = 0
    rounds: int = 60

    name: ClassVar[str] = "boosted"

    def predict(self, history: History, horizon: int) -> Floats:
        """The continuation of each series."""
        values, points = history.filled(), history.values.shape[1]
        first = 3 * history.week
        if points < first + checked_horizon(horizon) + history.day:
            return SeasonalBlend().predict(history, horizon)
        model = self._fit(values, history.day, horizon)
        expected = np.zeros((len(values), horizon))
        origins, ahead = np.full(horizon, points), np.arange(horizon)
        for index, series in enumerate(values):
            padded = np.concatenate([series, np.full(horizon, np.nan)])
            rows, level, scale = lag_features(padded, origins, ahead, history.day)
            expected[index] = level + scale * model.predict(rows)
        return expected

    def _fit(self, values: Floats, day: int, horizon: int) -> HistGradientBoostingRegressor:
        random = np.random.default_rng(self.seed)
        each = max(200, MAX_ROWS // max(len(values), 1))
        rows, targets = [], []
        for series in values:
            origins = random.integers(21 * day, len(series) - horizon + 1, each)
            ahead = random.integers(0, horizon, each)
            features, level, scale = lag_features(series, origins, ahead, day)
            rows.append(features)
            targets.append(np.clip((series[origins + ahead] - level) / scale, -5.0, 5.0))
        model = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=self.rounds,
            max_leaf_nodes=15,
            learning_rate=0.08,
            random_state=self.seed,
        )
        return model.fit(np.concatenate(rows), np.concatenate(targets))
