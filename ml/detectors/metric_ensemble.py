"""The ensemble for single metrics: sizes of features of the stream, each against its own tail.

In: single metrics. Out: scores and what was expected, continuing where learning ended. Refused: hosts of
many metrics. A series whose days are known is judged by its season, now and held for some rows; one learned
for less by its last hour, with the say of trees that saw what operators called anomalous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import ClassVar, Final

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.artefacts import unpack
from ml.detectors.bands import capped, robust_level, single_metric
from ml.detectors.protocol import SHARED, ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.seasonal_quantile import DAY_MS
from ml.detectors.stream import BINS, COUNT, FEATURES, OF_VALUE, STATE, Floats32, run
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.trees import Trees

ARTEFACT: Final = "metric_ensemble_{}.safetensors"
COARSE_MS: Final = 1_800_000
SEASONED: Final = ("from_season", "held_from_season", "seasonal_60", "seasonal_3", "bend")
FRESH: Final = ("from_median_global", "burst_residual_23", "seasonal_240")
"""The features that make a score: of series whose days are known well, and of those learned for less."""
SIZED: Final = tuple(FEATURES.index(name) for name in (*SEASONED, *FRESH))
SEASONED_MS: Final = 14 * DAY_MS
"""The known time from which on a series counts as seasoned."""
SIZE_QUANTILE: Final = 0.98
SIZE_FLOOR: Final = 0.05
MAX_TAILS: Final = 1000.0
"""What lies so many tails outside, or further, is equally strange."""
TREES_WEIGHT: Final = 0.1
"""Of the trees beside the sizes of a fresh series. Seasoned ones do better without."""
USUAL_THRESHOLD: Final = 1.1
OWN_SHARE: Final = 0.3
MAX_THRESHOLD: Final = 3.0
"""A series' threshold lies between that of all and its own tail, which its training span's anomalies
swell."""
SPIKE_SHARE: Final = 0.3
SPIKE_SCALES: Final = 1000.0
"""A scale is at least this share of the root mean square, which counts nothing beyond so many scales: in
series that are zero but for spikes it is the spikes that must be told apart."""
CHUNK_POINTS: Final = 4096
MAX_DEVIATION: Final = 1e6


def resolution(step_ms: int) -> str:
    """Which trees fit series of that spacing: those of `minutes` or those of `hours`."""
    return "minutes" if step_ms < COARSE_MS else "hours"


@cache
def shipped_trees(resolution: str) -> Trees:
    """The trees that come with the platform, trained by `ml train`."""
    data = files("ml.detectors").joinpath(ARTEFACT.format(resolution)).read_bytes()
    return Trees.from_arrays(unpack(data).arrays)


@dataclass(frozen=True)
class MetricEnsembleModel(ArrayModel):
    """What a series was like, and the state of its stream where learning ended.

    Attributes
    ----------
    level, scale, threshold
        Shapes (n_series,); the threshold is that of margins.
    tails, shares
        Shapes (n_series, n_sized): the tail of each sized feature, and its share in the score.
    states
        Shape (n_series, STATE), float32.
    """

    level: Floats
    scale: Floats
    tails: Floats32
    shares: Floats32
    states: Floats32
    threshold: Floats
    step_ms: int
    trees_weight: float = TREES_WEIGHT
    trees: Callable[[str], Trees] = field(default=shipped_trees, metadata=SHARED)

    detector: ClassVar[str] = "metric_ensemble"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """Scores of the rows that follow what was learned."""
        margins, expected, _ = self.follow(self.start(), batch)
        value = single_metric(batch.values)
        expected = self.level[:, None] + self.scale[:, None] * expected
        half_width = np.broadcast_to(3.0 * self.scale[:, None], value.shape)
        score = capped(np.exp(margins - self.threshold[:, None]))
        return Scores(score, expected, expected - half_width, expected + half_width)

    def start(self) -> Floats32:
        """The states where learning ended."""
        return self.states.copy()

    def step(self, state: Floats32, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row."""
        batch = Batch(np.array([timestamp_ms]), values[:, :, None], self.step_ms)
        margins, _, _ = self.follow(state, batch)
        return capped(np.exp(margins[:, 0] - self.threshold))

    def follow(self, states: Floats32, batch: Batch) -> tuple[Floats, Floats, Floats32]:
        """Margins and expected deviations, shapes (n_series, n_points), and the last piece's features.

        Margins are NaN where a sample is missing. Changes `states`.
        """
        values = single_metric(batch.values)
        margins, expected = np.empty(values.shape), np.empty(values.shape)
        features = np.zeros((len(batch), 0, COUNT), np.float32)
        for start in range(0, batch.points, CHUNK_POINTS):
            piece = batch.rows(start, start + CHUNK_POINTS)
            features, foreseen = stream_features(piece, self.level, self.scale, states)
            stop = start + piece.points
            margins[:, start:stop] = self._margins(features)
            expected[:, start:stop] = foreseen
        return np.where(np.isnan(values), np.nan, margins), expected, features

    def _margins(self, features: Floats32) -> Floats:
        """The mean log of the sizes, with the trees' say on fresh series; shape (n_series, n_points)."""
        tails = np.abs(features[:, :, SIZED]) / self.tails[:, None]
        sizes = np.log1p(np.minimum(tails, MAX_TAILS))
        margins: Floats = np.einsum("spf,sf->sp", sizes, self.shares, dtype=np.float64)
        fresh = np.flatnonzero(self.shares[:, -1])
        if len(fresh) and self.trees_weight:
            rows = features[fresh].reshape(-1, COUNT)
            odds = self.trees(resolution(self.step_ms)).margins(rows).reshape(len(fresh), -1)
            margins[fresh] += self.trees_weight * np.logaddexp(0.0, odds)
        return margins

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The features that lie furthest beyond their own tails."""
        margins, _, features = self.follow(self.start(), batch.rows(0, row + 1))
        used = np.flatnonzero(self.shares[series])
        here = features[series, -1, SIZED][used]
        excess = np.abs(here) / self.tails[series, used]
        score = np.exp(margins[series, -1] - self.threshold[series])
        share = np.nan_to_num(capped(score)) / max(float(excess.max()), 1e-9)
        order = np.argsort(-excess, kind="stable")
        return [
            Reason(FEATURES[SIZED[used[index]]], float(here[index]), float(excess[index] * share))
            for index in order
        ]


def usual(values: Floats) -> tuple[Floats, Floats]:
    """Level and scale of each row, the scale wide enough for a series of rare spikes."""
    level, scale = robust_level(values)
    distance = np.minimum(np.abs(values - level[:, None]), SPIKE_SCALES * scale[:, None])
    known = np.maximum(np.count_nonzero(~np.isnan(values), axis=1), 1)
    spikes = np.sqrt(np.nansum(distance**2, axis=1) / known)
    return level, np.maximum(scale, SPIKE_SHARE * spikes)


def stream_features(batch: Batch, level: Floats, scale: Floats, states: Floats32) -> tuple[Floats32, Floats]:
    """Features (n_series, n_points, COUNT) and expected deviations; changes `states`."""
    values = single_metric(batch.values)
    with np.errstate(over="ignore"):
        deviations = (values - level[:, None]) / scale[:, None]
    deviations = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
    features = np.zeros((*values.shape, COUNT), np.float32)
    places = np.asarray(batch.timestamps_ms % DAY_MS * (BINS / DAY_MS), np.float64)
    expected = run(states, deviations, places, DAY_MS / batch.step_ms, features)
    features[:, :, OF_VALUE] = values == 0.0
    features[:, :, OF_VALUE + 1] = DAY_MS / batch.step_ms
    return features, expected


def require_states(arrays: Arrays) -> None:
    """Raise `ValueError` if the states in an artefact have not the length of today's."""
    if arrays["states"].shape[1:] != (STATE,):
        raise ValueError(f"states have the shape {arrays['states'].shape}, expected (n_series, {STATE})")


@dataclass(frozen=True)
class MetricEnsemble:
    """Calibrates sizes and threshold to each series.

    References ---------- D. Liu et al. (2015), Opprentice: towards practical and automatic anomaly
    detection through machine learning, IMC.
    """

    false_alarm_rate: float = 5e-4
    seasoned_ms: float = SEASONED_MS
    trees_weight: float = TREES_WEIGHT
    trees: Callable[[str], Trees] = shipped_trees

    name: ClassVar[str] = "metric_ensemble"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> MetricEnsembleModel:
        """Follow the training span, and take sizes and threshold from it; nothing is drawn at random."""
        del seed
        values = single_metric(batch.learnable())
        level, scale = usual(values)
        known = Batch(batch.timestamps_ms, values[:, None], batch.step_ms)
        features, _ = stream_features(known, level, scale, np.zeros((len(batch), STATE), np.float32))
        states = np.zeros((len(batch), STATE), np.float32)
        model = MetricEnsembleModel(
            level=level,
            scale=scale,
            tails=self._tails(features, values),
            shares=self._shares(values, batch.step_ms),
            states=np.zeros((len(batch), STATE), np.float32),
            threshold=np.zeros(len(batch)),
            step_ms=batch.step_ms,
            trees_weight=self.trees_weight,
            trees=self.trees,
        )
        states = model.start()
        margins, _, _ = model.follow(states, known)
        # The first twentieth of the span is the stream's own warm-up, and strange for that reason alone.
        warm = margins[:, batch.points // 20 :]
        own = tail_thresholds(warm, false_alarm_rate=self.false_alarm_rate, floor=0.0)
        threshold = USUAL_THRESHOLD + OWN_SHARE * (np.minimum(own, MAX_THRESHOLD) - USUAL_THRESHOLD)
        return replace(model, states=states, threshold=threshold)

    @staticmethod
    def _tails(features: Floats32, values: Floats) -> Floats32:
        """The `SIZE_QUANTILE` of each sized feature, shape (n_series, n_sized)."""
        tails = np.ones((len(features), len(SIZED)), np.float32)
        for series, rows in enumerate(features):
            known = rows[~np.isnan(values[series])][len(rows) // 20 :]
            if len(known):
                tails[series] = np.quantile(np.abs(known[:, SIZED]), SIZE_QUANTILE, axis=0) + SIZE_FLOOR
        return tails

    def _shares(self, values: Floats, step_ms: int) -> Floats32:
        """The share of each sized feature in a series' score, shape (n_series, n_sized)."""
        seasoned = np.repeat([1.0 / len(SEASONED), 0.0], [len(SEASONED), len(FRESH)])
        fresh = np.repeat([0.0, 1.0 / len(FRESH)], [len(SEASONED), len(FRESH)])
        known_ms = np.count_nonzero(~np.isnan(values), axis=1) * step_ms
        shares = np.where((known_ms >= self.seasoned_ms)[:, None], seasoned, fresh)
        return shares.astype(np.float32)

    def restore(self, arrays: Arrays) -> MetricEnsembleModel:
        """The model again; refused if its stream remembers other things than today's."""
        require_states(arrays)
        return MetricEnsembleModel.from_arrays(arrays)
