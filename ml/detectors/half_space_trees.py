"""Half-space trees: random halvings of the usual range, and how many recent rows fell where a row falls.

In: single metrics. Out: scores from the row's deviation, its change and its distance from the recent mean,
following the series from where learning ended. Refused: hosts of many metrics.

The cuts are drawn once for all series: each series is put on its own usual range first. So a model is the
cuts, and two counts a node and series: of the window before, which score, and of the window that fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

import numba as nb
import numpy as np
import numpy.typing as npt

from alertsite.core.samples import Bools, Floats, Ints
from ml.detectors.bands import capped, floored, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.thresholds import tail_thresholds

Counts: TypeAlias = npt.NDArray[np.float32]

FEATURES: Final = ("deviation from the level", "change from the row before", "distance from the recent mean")
WIDTH: Final = len(FEATURES)
RECENT_GAIN: Final = 0.1
MAX_DEVIATION: Final = 1e6
MAX_MOVE: Final = 4.0
"""The recent mean moves by no more deviations a row, so that one spike does not carry it away."""
ENOUGH: Final = 0.1
"""A node with less than this share of a window is not halved further: what is there is rare already."""
OUTSIDE_WEIGHT: Final = 4.0
"""Halvings that a row beyond the usual range counts for, each time that it lies twice as far outside."""
MARGIN: Final = 0.25
"""The usual range is what was learned, and this share of it on either side."""
START: Final = (0.0, 0.0, 0.0)
"""Of a stream: the row before and the recent mean, in deviations, and how many rows the window has."""


@nb.njit(cache=True)
def next_features(value: float, scales: Floats, stream: Floats, features: Floats) -> None:
    """Fill `features` of one value; moves `stream`."""
    deviation = min(max((value - scales[0]) / scales[1], -MAX_DEVIATION), MAX_DEVIATION)
    features[0] = deviation
    features[1] = deviation - stream[0]
    features[2] = deviation - stream[1]
    stream[0] = deviation
    stream[1] += RECENT_GAIN * min(max(deviation - stream[1], -MAX_MOVE), MAX_MOVE)


@nb.njit(cache=True)
def features_of(values: Floats, scales: Floats, stream: Floats) -> Floats:
    """Features of the values that are there, shape (n_present, n_features); moves `stream`."""
    present = values[~np.isnan(values)]
    seen = np.empty((len(present), WIDTH))
    for row in range(len(present)):
        next_features(present[row], scales, stream, seen[row])
    return seen


@nb.njit(cache=True)
def emptiness(place: Floats, cuts: Ints, counts: Counts, window: float, counted: bool) -> float:
    """How empty the half spaces around a place were in the window before, in halvings.

    Parameters
    ----------
    place
        Shape (n_features,): the usual range is 0 to 1.
    cuts
        Shape (n_trees, n_inner): which feature each node halves. Trees lie as heaps.
    counts
        Shape (2, n_trees, n_nodes): of the window before, and of the one that fills, in which the row is
        counted if it is `counted`.
    """
    total = 0.0
    for tree in range(cuts.shape[0]):
        low, high = np.zeros(len(place)), np.ones(len(place))
        node, volume, mass = 0, 1.0, -1.0
        while True:
            inner = node < cuts.shape[1]
            if mass < 0.0 and (not inner or counts[0, tree, node] < ENOUGH * window):
                mass = counts[0, tree, node] * volume
            if counted:
                counts[1, tree, node] += 1.0
            if not inner:
                break
            which = cuts[tree, node]
            middle = 0.5 * (low[which] + high[which])
            above = place[which] >= middle
            if above:
                low[which] = middle
            else:
                high[which] = middle
            node, volume = 2 * node + 1 + int(above), 2.0 * volume
        total += np.log2((window + 1.0) / (mass + 1.0))
    outside = max(1.0, np.abs(2.0 * place - 1.0).max())
    empty: float = max(total / cuts.shape[0], 0.0) + OUTSIDE_WEIGHT * np.log2(outside)
    return empty


@nb.njit(cache=True)
def follow(
    values: Floats, counted: Bools, model: tuple[Floats, Ints, float], counts: Counts, streams: Floats
) -> Floats:
    """Raw scores of values (n_series, n_points), NaN where one is missing; moves `counts` and `streams`.

    Parameters
    ----------
    counted
        Which rows the windows take in.
    model
        Scales (n_series, 2 + 2 * n_features): level, scale, low ends and spans of features; cuts; rows of a
        window.
    counts, streams
        Shapes (n_series, 2, n_trees, n_nodes) and (n_series, 3).
    """
    scales, cuts, window = model
    raw = np.full(values.shape, np.nan)
    place = np.empty(WIDTH)
    for series in range(values.shape[0]):
        lows, spans = scales[series, 2 : 2 + WIDTH], scales[series, 2 + WIDTH :]
        for row in range(values.shape[1]):
            if np.isnan(values[series, row]):
                continue
            next_features(values[series, row], scales[series], streams[series], place)
            where = (place - lows) / spans
            raw[series, row] = emptiness(where, cuts, counts[series], window, counted[series, row])
            streams[series, 2] += counted[series, row]
            if streams[series, 2] >= window:
                counts[series, 0] = counts[series, 1]
                counts[series, 1] = 0.0
                streams[series, 2] = 0.0
    return raw


@dataclass
class Following:
    """Counts of nodes and where each stream is."""

    counts: Counts
    streams: Floats


@dataclass(frozen=True)
class HalfSpaceModel(ArrayModel):
    """Cuts of all series; scales, counts, streams and threshold of each, in the shapes of `follow`."""

    scales: Floats
    cuts: Ints
    window: float
    counts: Counts
    streams: Floats
    threshold: Floats

    detector: ClassVar[str] = "half_space_trees"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """How empty the surroundings of each row were in the window before, in thresholds."""
        return Scores(self._score(self.start(), single_metric(batch.values)))

    def start(self) -> Following:
        """Where learning ended."""
        return Following(self.counts.copy(), self.streams.copy())

    def step(self, state: Following, timestamp_ms: int, values: Floats) -> Floats:
        """Score one row and count it."""
        del timestamp_ms
        return self._score(state, values)[:, 0]

    def _score(self, state: Following, values: Floats) -> Floats:
        """A row that is anomalous is counted as well: what lasts for a window is the new normal."""
        values = np.ascontiguousarray(values)
        model = (self.scales, self.cuts, self.window)
        raw = follow(values, np.ones(values.shape, np.bool_), model, state.counts, state.streams)
        return capped(raw / self.threshold[:, None])

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The features, those first that lie furthest from the middle of their usual range."""
        values = single_metric(batch.values)[:, : row + 1]
        score = float(np.nan_to_num(self._score(self.start(), values)[series, -1]))
        scales = self.scales[series]
        features = features_of(values[series], scales, self.streams[series].copy())[-1]
        away = np.abs(2.0 * (features - scales[2 : 2 + WIDTH]) / scales[2 + WIDTH :] - 1.0)
        share = score / max(float(away.max()), 1e-9)
        order = np.argsort(-away, kind="stable")
        return [Reason(FEATURES[one], float(features[one]), float(away[one] * share)) for one in order]


@dataclass(frozen=True)
class HalfSpaceTrees:
    """Counts rows in half spaces of so many trees and halvings, over windows of so many rows.

    References
    ----------
    S. C. Tan, K. M. Ting, T. F. Liu (2011), Fast anomaly detection for streaming data, IJCAI.
    """

    trees: int = 25
    depth: int = 6
    window: int = 250
    false_alarm_rate: float = 1e-3
    floor: float = 2.0

    name: ClassVar[str] = "half_space_trees"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> HalfSpaceModel:
        """Draw the cuts, find the usual ranges, and follow what may be learned."""
        values = np.ascontiguousarray(single_metric(batch.learnable()))
        random = np.random.default_rng(seed)
        cuts = random.integers(0, WIDTH, (self.trees, 2**self.depth - 1))
        scales = usual_ranges(values)
        nodes = 2 ** (self.depth + 1) - 1
        counts = np.zeros((len(values), 2, self.trees, nodes), np.float32)
        streams = np.tile(np.array(START), (len(values), 1))
        window = float(min(self.window, max(batch.points // 4, 1)))
        raw = follow(values, ~np.isnan(values), (scales, cuts, window), counts, streams)
        raw[np.cumsum(~np.isnan(values), axis=1) <= window] = np.nan  # before the first window all is empty
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.floor)
        return HalfSpaceModel(scales, cuts, window, counts, streams, threshold)

    def restore(self, arrays: Arrays) -> HalfSpaceModel:
        """The model again."""
        return HalfSpaceModel.from_arrays(arrays)


def usual_ranges(values: Floats) -> Floats:
    """Level and scale of each series, and where its features usually lie; the scales of `follow`."""
    level, scale = robust_level(values)
    lows, spans = np.full((len(values), WIDTH), -1.0), np.full((len(values), WIDTH), 2.0)
    own = np.stack([level, floored(scale, level)], axis=1) if len(values) else np.empty((0, 2))
    for series, row in enumerate(values):
        seen = features_of(row, own[series], np.array(START))
        if len(seen) > 1:
            low, high = np.quantile(seen[1:], [0.005, 0.995], axis=0)
            span = np.maximum(high - low, 2.0)
            lows[series], spans[series] = low - MARGIN * span, (1.0 + 2.0 * MARGIN) * span
    return np.concatenate([own, lows, spans], axis=1)
