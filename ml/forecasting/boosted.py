"""Gradient boosting on lags: one model for all series and all points ahead.

In: histories. Out: a model of trees, and their continuation. Refused: nothing; where a history is shorter
than `FIRST_DAYS` the model gives what a seasonal blend gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Final

import numpy as np

from alertsite.core.samples import Floats, Ints
from ml.detectors.protocol import Arrays
from ml.detectors.trees import Trees, pack_trees
from ml.forecasting.lags import FIRST_DAYS, Lags
from ml.forecasting.protocol import History, checked_horizon
from ml.forecasting.seasonal import SeasonalBlend

MAX_ROWS: Final = 160_000
ROWS_A_SERIES: Final = 16_000
FARTHEST: Final = 8.0
"""Targets end at so many scales, so that a spike does not make the trees."""


@dataclass(frozen=True)
class BoostedModel:
    """Trees, or none where the histories were too short."""

    trees: Trees | None
    forecaster: ClassVar[str] = "boosted"

    def predict(self, history: History, horizon: int) -> Floats:
        """The continuation of each series."""
        checked_horizon(horizon)
        if self.trees is None or history.points < FIRST_DAYS * history.day:
            return SeasonalBlend().predict(history, horizon)
        window = min(history.points, (FIRST_DAYS + 20) * history.day)
        start = history.points - window
        # A week is the farthest that the features reach: beyond it the last week is told again.
        reach = min(horizon, history.week)
        ahead, origins = np.arange(reach), np.full(reach, window)
        expected = np.empty((len(history.values), reach))
        for index, series in enumerate(history.filled()):
            found = Lags(series[start:], history.day, history.first + start, reach).rows(origins, ahead)
            margins = self.trees.margins(np.ascontiguousarray(found.features, np.float32))
            expected[index] = found.level + found.scale * margins
        return expected[:, np.arange(horizon) % reach]

    def to_arrays(self) -> Arrays:
        """The nodes."""
        return {} if self.trees is None else self.trees.to_arrays()


@dataclass(frozen=True)
class Boosted:
    """Fits one set of trees to rows drawn from all series, each relative to its own last week.

    References
    ----------
    J. H. Friedman (2001), Greedy function approximation: a gradient boosting machine, Annals of
    Statistics 29(5).
    """

    rounds: int = 200
    leaves: int = 31

    name: ClassVar[str] = "boosted"

    def learn(self, histories: Sequence[History], horizon: int, *, seed: int) -> BoostedModel:
        """Fit to every history that is long enough."""
        random = np.random.default_rng(seed)
        reach = checked_horizon(horizon)
        usable = [each for each in histories if each.points >= (FIRST_DAYS + 1) * each.day + reach]
        count = sum(len(each.values) for each in usable)
        if not count:
            return BoostedModel(None)
        drawn = min(ROWS_A_SERIES, max(MAX_ROWS // count, 200))
        rows, targets = [], []
        for features, target in _lessons(usable, reach, drawn, random):
            rows.append(features)
            targets.append(target)
        # Loaded here: it weighs 100 MB, and only workers that learn need it.
        model = import_module("sklearn.ensemble").HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=self.rounds,
            max_leaf_nodes=self.leaves,
            learning_rate=0.07,
            min_samples_leaf=40,
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        )
        model.fit(np.concatenate(rows), np.concatenate(targets))
        return BoostedModel(pack_trees(list(_nodes(model)), float(model._baseline_prediction.item())))

    def restore(self, arrays: Arrays, /) -> BoostedModel:
        """The model again."""
        return BoostedModel(Trees.from_arrays(arrays) if arrays else None)


def _lessons(
    histories: Sequence[History], horizon: int, drawn: int, random: np.random.Generator
) -> Iterator[tuple[Floats, Floats]]:
    """Rows and targets of each series, the series in an order of their own: what is drawn depends on it."""
    for history in histories:
        reach = min(horizon, history.week)
        filled = history.filled()
        for index in sorted(range(len(filled)), key=lambda number: filled[number].tobytes()):
            series = filled[index]
            lags = Lags(series, history.day, history.first, reach)
            last = len(series) - reach + 1
            origins: Ints = random.integers(FIRST_DAYS * history.day, last, drawn)
            ahead: Ints = random.integers(0, reach, drawn)
            found = lags.rows(origins, ahead)
            target = (series[origins + ahead] - found.level) / found.scale
            yield found.features.astype(np.float32), np.clip(target, -FARTHEST, FARTHEST)


def _nodes(model: Any) -> Iterator[Arrays]:
    """The nodes of each tree, which scikit-learn keeps in private."""
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        yield {
            "feature": np.where(leaf, -1, nodes["feature_idx"]),
            "bound": np.where(leaf, nodes["value"], nodes["num_threshold"]),
            "left": nodes["left"],
            "right": nodes["right"],
        }
