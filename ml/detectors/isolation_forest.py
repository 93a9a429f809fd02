"""The isolation forest: rows of features that random cuts separate from ordinary ones quickly.

In: single metrics. Out: scores from the stream's features, continuing where learning ended. Refused:
hosts of many metrics.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numba as nb
import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.bands import capped, robust_level, single_metric
from ml.detectors.metric_ensemble import require_states, stream_features
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.stream import FEATURES, STATE, Floats32
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.trees import Ints32, leaf_sums

DEPTH: Final = 8
NODES: Final = 2 ** (DEPTH + 1) - 1
SAMPLE: Final = 256
EULER: Final = 0.5772156649
USED: Final = tuple(
    FEATURES.index(name)
    for name in (
        *("residual_3", "residual_12", "residual_60", "change_1", "change_3", "restlessness", "from_median"),
        *("from_level", "seasonal", "seasonal_levelled", "seasonal_12", "above_window", "below_window"),
    )
)


@nb.njit(cache=True)
def usual_depth(count: float) -> float:
    """The mean depth at which a search in a random tree of `count` rows ends."""
    if count <= 1.0:
        return 0.0
    return 2.0 * (np.log(count - 1.0) + EULER) - 2.0 * (count - 1.0) / count if count > 2.0 else 1.0


@nb.njit(cache=True)
def grow(rows: Floats, draws: Floats, feature: Ints32, bound: Floats32) -> None:
    """Grow one tree, laid out as a heap, from rows (n_rows, n_features) and uniform `draws` (NODES, 2)."""
    place = np.zeros(len(rows), np.int64)
    for node in range(NODES):
        inside = np.flatnonzero(place == node)
        depth = int(np.log2(node + 1))
        feature[node] = -1
        bound[node] = depth + usual_depth(float(len(inside)))
        if depth == DEPTH or len(inside) <= 1:
            continue
        chosen = int(draws[node, 0] * rows.shape[1])
        column = rows[inside, chosen]
        low, high = column.min(), column.max()
        # Cuts may fall beside what was seen: what lies further outside than all of it is alone at once.
        span = high - low if high > low else 1.0
        feature[node] = chosen
        bound[node] = low + (2.0 * draws[node, 1] - 0.5) * span
        for row in inside:
            place[row] = 2 * node + (1 if rows[row, chosen] <= bound[node] else 2)


@dataclass(frozen=True)
class IsolationForestModel(ArrayModel):
    """Forests as heaps, shapes (n_series, n_trees * NODES), with the stream where learning ended."""

    level: Floats
    scale: Floats
    states: Floats32
    feature: Ints32
    bound: Floats32
    threshold: Floats
    step_ms: int

    detector: ClassVar[str] = "isolation_forest"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """Isolation of the rows that follow what was learned, in thresholds."""
        return Scores(self._judge(self.isolation(self.start(), batch)))

    def start(self) -> Floats32:
        """The states where learning ended."""
        return self.states.copy()

    def step(self, state: Floats32, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row."""
        batch = Batch(np.array([timestamp_ms]), values[:, :, None], self.step_ms)
        return self._judge(self.isolation(state, batch))[:, 0]

    def isolation(self, states: Floats32, batch: Batch) -> Floats:
        """From 0, deep among others, to 1, alone at once; NaN where missing. Changes `states`."""
        features, _ = stream_features(batch, self.level, self.scale, states)
        used = np.ascontiguousarray(features[:, :, USED])
        count = self.feature.shape[1] // NODES
        roots = np.arange(count, dtype=np.int32) * NODES
        within = np.tile(np.arange(NODES, dtype=np.int32), count)
        children = (np.repeat(roots, NODES) + 2 * within + 1).astype(np.int32)
        found = np.zeros(used.shape[:2])
        for series, rows in enumerate(used):
            depth = leaf_sums(rows, roots, self.feature[series], self.bound[series], children) / count
            found[series] = 2.0 ** (-depth / usual_depth(float(SAMPLE)))
        return np.where(np.isnan(single_metric(batch.values)), np.nan, found)

    def _judge(self, isolation: Floats) -> Floats:
        # Isolation runs from 0 to 1, so the distance from 1 is what shrinks towards an anomaly.
        return capped((1.0 - self.threshold[:, None]) / np.maximum(1.0 - isolation, 1e-6))

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The feature furthest from ordinary, with the row's score."""
        here = batch.rows(0, row + 1)
        features, _ = stream_features(here, self.level, self.scale, self.start())
        shown = features[series, -1, USED]
        place = int(np.argmax(np.abs(shown)))
        score = float(np.nan_to_num(self.score(here).score[series, -1]))
        return [Reason(FEATURES[USED[place]], float(shown[place]), score)]


@dataclass(frozen=True)
class IsolationForest:
    """A forest for each series, of features of its training span.

    References
    ----------
    F. T. Liu et al. (2008), Isolation forest, ICDM.
    """

    trees: int = 64
    false_alarm_rate: float = 1e-3

    name: ClassVar[str] = "isolation_forest"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> IsolationForestModel:
        """Follow the training span, grow the forests; each series draws from the seed alone."""
        values = single_metric(batch.learnable())
        level, scale = robust_level(values)
        known = Batch(batch.timestamps_ms, values[:, None], batch.step_ms)
        features, _ = stream_features(known, level, scale, np.zeros((len(batch), STATE), np.float32))
        shape = (len(batch), self.trees * NODES)
        feature, bound = np.full(shape, -1, np.int32), np.zeros(shape, np.float32)
        for series in range(len(batch)):
            rows = features[series, ~np.isnan(values[series])][:, USED]
            self._grow(rows[len(rows) // 20 :], np.random.default_rng(seed), feature[series], bound[series])
        states = np.zeros((len(batch), STATE), np.float32)
        model = IsolationForestModel(
            level, scale, states, feature, bound, np.zeros(len(batch)), batch.step_ms
        )
        raw = model.isolation(states, known)[:, batch.points // 20 :]
        threshold = np.minimum(tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=0.6), 0.7)
        return replace(model, threshold=threshold)

    def _grow(self, rows: Floats32, random: np.random.Generator, feature: Ints32, bound: Floats32) -> None:
        if not len(rows):
            return
        for tree in range(self.trees):
            sample = rows[random.permutation(len(rows))[:SAMPLE]].astype(np.float64)
            part = slice(tree * NODES, (tree + 1) * NODES)
            grow(sample, random.random((NODES, 2)), feature[part], bound[part])

    def restore(self, arrays: Arrays) -> IsolationForestModel:
        """The model again; refused if its stream remembers other things than today's."""
        require_states(arrays)
        return IsolationForestModel.from_arrays(arrays)
