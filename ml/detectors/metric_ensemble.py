"""The ensemble for single metrics: features of the stream, weighed by trees that saw labelled series, and
by size.

In: single metrics. Out: scores and what was expected, continuing where learning ended. Refused: hosts of
many metrics. The trees know what operators called anomalous; how far outside a value lies, which trees
cannot tell beyond what they saw, comes from the strangest features themselves, each against its own tail
in the training span.
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
from ml.detectors.stream import BINS, COUNT, FEATURES, STATE, Floats32, run
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.trees import Trees

ARTEFACT: Final = "metric_ensemble_{}.safetensors"
COARSE_MS: Final = 1_800_000
SIZED: Final = tuple(
    FEATURES.index(name)
    for name in ("seasonal", "seasonal_levelled", "residual_12", "change_1", "from_level")
)
"""The features whose size counts by itself."""
SIZE_WEIGHT: Final = 1.5
"""Of the sizes beside the trees' log odds: chosen on the visible series, 1 to 2 alike."""
SIZE_QUANTILE: Final = 0.98
SIZE_FLOOR: Final = 0.05
USUAL_THRESHOLD: Final = 4.0
OWN_SHARE: Final = 0.3
MAX_THRESHOLD: Final = 10.0
"""A series' threshold lies between that of all and its own tail, which its training span's anomalies
swell."""
SCORE_SCALE: Final = 2.0
"""Log odds that multiply a score by e."""
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
        Shapes (n_series,); the threshold is in log odds.
    sizes
        Shape (n_series, n_sized): the tail of each sized feature.
    states
        Shape (n_series, STATE), float32.
    """

    level: Floats
    scale: Floats
    sizes: Floats32
    states: Floats32
    threshold: Floats
    step_ms: int
    trees: Callable[[str], Trees] = field(default=shipped_trees, metadata=SHARED)

    detector: ClassVar[str] = "metric_ensemble"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """Scores of the rows that follow what was learned."""
        margins, expected, _ = self.follow(self.start(), batch)
        value = single_metric(batch.values)
        expected = self.level[:, None] + self.scale[:, None] * expected
        half_width = np.broadcast_to(3.0 * self.scale[:, None], value.shape)
        score = capped(np.exp((margins - self.threshold[:, None]) / SCORE_SCALE))
        return Scores(score, expected, expected - half_width, expected + half_width)

    def start(self) -> Floats32:
        """The states where learning ended."""
        return self.states.copy()

    def step(self, state: Floats32, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row."""
        batch = Batch(np.array([timestamp_ms]), values[:, :, None], self.step_ms)
        margins, _, _ = self.follow(state, batch)
        return capped(np.exp((margins[:, 0] - self.threshold) / SCORE_SCALE))

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
        """Log odds of the trees and the weighed sizes, shape (n_series, n_points)."""
        odds = (
            self.trees(resolution(self.step_ms))
            .margins(features.reshape(-1, COUNT))
            .reshape(features.shape[:2])
        )
        sizes = np.log1p(np.abs(features[:, :, SIZED])) / self.sizes[:, None]
        weighed: Floats = odds + SIZE_WEIGHT * sizes.mean(axis=2, dtype=np.float64)
        return weighed

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The features that lie furthest beyond their own tails."""
        margins, _, features = self.follow(self.start(), batch.rows(0, row + 1))
        here = features[series, -1, SIZED]
        excess = np.log1p(np.abs(here)) / self.sizes[series]
        score = np.exp((margins[series, -1] - self.threshold[series]) / SCORE_SCALE)
        share = np.nan_to_num(capped(score)) / max(float(excess.max()), 1e-9)
        order = np.argsort(-excess, kind="stable")
        return [
            Reason(FEATURES[SIZED[index]], float(here[index]), float(excess[index] * share))
            for index in order
        ]


def stream_features(batch: Batch, level: Floats, scale: Floats, states: Floats32) -> tuple[Floats32, Floats]:
    """Features (n_series, n_points, COUNT) and expected deviations; changes `states`."""
    values = single_metric(batch.values)
    with np.errstate(over="ignore"):
        deviations = (values - level[:, None]) / scale[:, None]
    deviations = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
    features = np.zeros((*values.shape, COUNT), np.float32)
    places = np.asarray(batch.timestamps_ms % DAY_MS * (BINS / DAY_MS), np.float64)
    expected = run(states, deviations, places, DAY_MS / batch.step_ms, features)
    features[:, :, -2] = values == 0.0
    features[:, :, -1] = DAY_MS / batch.step_ms
    return features, expected


@dataclass(frozen=True)
class MetricEnsemble:
    """Calibrates the shipped trees to each series.

    References ---------- D. Liu et al. (2015), Opprentice: towards practical and automatic anomaly
    detection through machine learning, IMC.
    """

    false_alarm_rate: float = 5e-4
    trees: Callable[[str], Trees] = shipped_trees

    name: ClassVar[str] = "metric_ensemble"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> MetricEnsembleModel:
        """Follow the training span, and take sizes and threshold from it; nothing is drawn at random."""
        del seed
        values = single_metric(batch.learnable())
        level, scale = robust_level(values)
        known = Batch(batch.timestamps_ms, values[:, None], batch.step_ms)
        features, _ = stream_features(known, level, scale, np.zeros((len(batch), STATE), np.float32))
        states = np.zeros((len(batch), STATE), np.float32)
        model = MetricEnsembleModel(
            level=level,
            scale=scale,
            sizes=self._tails(features, values),
            states=np.zeros((len(batch), STATE), np.float32),
            threshold=np.zeros(len(batch)),
            step_ms=batch.step_ms,
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
        """The `SIZE_QUANTILE` of the log of each sized feature, shape (n_series, n_sized)."""
        tails = np.ones((len(features), len(SIZED)), np.float32)
        for series, rows in enumerate(features):
            known = rows[~np.isnan(values[series])][len(rows) // 20 :]
            if len(known):
                logs = np.log1p(np.abs(known[:, SIZED]))
                tails[series] = np.quantile(logs, SIZE_QUANTILE, axis=0) + SIZE_FLOOR
        return tails

    def restore(self, arrays: Arrays) -> MetricEnsembleModel:
        """The model again."""
        return MetricEnsembleModel.from_arrays(arrays)
