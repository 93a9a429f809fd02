"""The ensemble for hosts: how far a host is from its usual self and from its recent self, now and for
some rows.

In: hosts of many metrics. Out: scores that continue where learning ended. Refused: nothing. Six distances
are each put on the scale of their own tail in the training span and averaged. Metrics that are shares of
one, such as utilisations, have a level worth knowing; rates in raw units drift, and only their recent
past says what is usual. How many metrics of a host are shares decides how much each kind of distance
counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numba as nb
import numpy as np

from alertsite.core.samples import Bools, Floats
from ml.detectors.bands import capped
from ml.detectors.hosts import MAX_DEVIATION, Scaling, absent, learn_scaling, metric_reasons, rows_to_learn
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.thresholds import tail_thresholds

RECENT_GAIN: Final = 1.0 - 0.5 ** (1.0 / 15.0)
"""Of the recent mean: it halves what is 15 rows old."""
HOLD_GAIN: Final = 1.0 - 0.5 ** (1.0 / 1.5)
"""Of the held distances: what lasts for some rows counts more than what flickers."""
LEVEL_SOFTENING: Final = 1.0
RECENT_SOFTENING: Final = 0.1
TAIL: Final = 0.995
NEAR: Final = 0.1
"""Distances are told apart down to this share of their tail."""
MEMBERS: Final = (
    "level", "level, held", "pattern of levels", "pattern of levels, held", "changes", "changes, held",
    "pattern of changes", "pattern of changes, held",
)  # fmt: skip
SHARES_WEIGHTS: Final = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
RATES_WEIGHTS: Final = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0])


@nb.njit(cache=True)
def from_recent(deviations: Floats, mean: Floats, gain: float) -> Floats:
    """Deviations less their mean of the rows so far, this one included; (n_points, n_metrics). Moves
    `mean`.
    """
    rest = np.empty_like(deviations)
    for row in range(deviations.shape[0]):
        for metric in range(deviations.shape[1]):
            mean[metric] += gain * (deviations[row, metric] - mean[metric])
            rest[row, metric] = deviations[row, metric] - mean[metric]
    return rest


@nb.njit(cache=True)
def hold(distances: Floats, held: Floats, missing: Bools, gain: float) -> Floats:
    """Weighted means of distances (n_points, n_members) over the rows so far. Moves `held`."""
    smooth = np.empty_like(distances)
    for row in range(distances.shape[0]):
        for member in range(distances.shape[1]):
            if not missing[row]:
                held[member] += gain * (distances[row, member] - held[member])
            smooth[row, member] = held[member]
    return smooth


@dataclass
class HostState:
    """Recent means (n_series, n_metrics) and held distances (n_series, 4)."""

    mean: Floats
    held: Floats


@dataclass(frozen=True)
class HostEnsembleModel(ArrayModel):
    """What each host was like.

    Attributes
    ----------
    level, scale
        Shapes (n_series, n_metrics).
    patterns
        Shape (n_series, 2, n_metrics, n_metrics): whitenings of levels and of changes.
    tails, weights
        Shapes (n_series, n_members).
    threshold
        Shape (n_series,), on the scale of the averaged logarithms.
    mean, held
        Where the streams were when learning ended.
    """

    level: Floats
    scale: Floats
    patterns: Floats
    tails: Floats
    weights: Floats
    threshold: Floats
    mean: Floats
    held: Floats

    detector: ClassVar[str] = "host_ensemble"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """Scores of the rows that follow what was learned."""
        return Scores(self._judge(self.distances(self.start(), batch), batch))

    def start(self) -> HostState:
        """The streams where learning ended."""
        return HostState(self.mean.copy(), self.held.copy())

    def step(self, state: HostState, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row."""
        batch = Batch(np.array([timestamp_ms]), values[:, :, None], 1)
        return self._judge(self.distances(state, batch), batch)[:, 0]

    def distances(self, state: HostState, batch: Batch) -> Floats:
        """All members' distances, shape (n_series, n_points, n_members). Changes `state`."""
        deviations = np.ascontiguousarray(Scaling(self.level, self.scale).deviations(batch))
        missing = absent(batch)
        found = np.empty((*missing.shape, len(MEMBERS)))
        for series, rows in enumerate(deviations):
            rest = from_recent(rows, state.mean[series], RECENT_GAIN)
            plain = np.stack(
                [
                    _size(rows),
                    _size(rows @ self.patterns[series, 0]),
                    _size(rest),
                    _size(rest @ self.patterns[series, 1]),
                ],
                axis=1,
            )
            found[series, :, 0::2] = plain
            found[series, :, 1::2] = hold(plain, state.held[series], missing[series], HOLD_GAIN)
        return found

    def averaged(self, distances: Floats) -> Floats:
        """The weighed mean of logarithms of distances in tails, shape (n_series, n_points)."""
        logs = np.log(distances / self.tails[:, None] + NEAR)
        mean: Floats = (logs * self.weights[:, None]).sum(axis=2)
        return mean

    def _judge(self, distances: Floats, batch: Batch) -> Floats:
        margin = self.averaged(distances) - self.threshold[:, None]
        return capped(np.where(absent(batch), np.nan, np.exp(margin)))

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The distance that is furthest beyond its tail, then the metrics that deviate most."""
        here = batch.rows(0, row + 1)
        distances = self.distances(self.start(), here)
        excess = np.where(self.weights[series] > 0, distances[series, -1] / self.tails[series], 0.0)
        member = int(np.argmax(excess))
        score = float(np.nan_to_num(self._judge(distances, here)[series, -1]))
        deviations = Scaling(self.level, self.scale).deviations(here)[series]
        shown = deviations[-1]
        if "changes" in MEMBERS[member]:
            shown = from_recent(deviations, self.mean[series].copy(), RECENT_GAIN)[-1]
        reason = Reason(f"distance of the {MEMBERS[member]}", float(excess[member]), score)
        return [reason, *metric_reasons(shown, here.values[series, :, -1], score)]


def _size(deviations: Floats) -> Floats:
    size: Floats = np.sqrt(np.mean(deviations**2, axis=1))
    return size


@dataclass(frozen=True)
class HostEnsemble:
    """Calibrates eight distances to each host; nothing in it was fitted to labels."""

    false_alarm_rate: float = 1e-3

    name: ClassVar[str] = "host_ensemble"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> HostEnsembleModel:
        """Fit scales, patterns, tails and thresholds; nothing is drawn at random."""
        del seed
        values = batch.learnable()
        scaling = learn_scaling(values)
        known = Batch(batch.timestamps_ms, values, batch.step_ms)
        metrics = values.shape[1]
        model = HostEnsembleModel(
            scaling.level,
            scaling.scale,
            self._patterns(known, scaling),
            tails=np.ones((len(batch), len(MEMBERS))),
            weights=member_weights(values),
            threshold=np.zeros(len(batch)),
            mean=np.zeros((len(batch), metrics)),
            held=np.zeros((len(batch), len(MEMBERS) // 2)),
        )
        return self._calibrated(model, known)

    @staticmethod
    def _patterns(known: Batch, scaling: Scaling) -> Floats:
        """Softened whitenings of the levels and of the changes of each host."""
        deviations, rows = scaling.deviations(known), rows_to_learn(known)
        metrics = deviations.shape[2]
        patterns = np.tile(np.eye(metrics), (len(deviations), 2, 1, 1))
        for series in range(len(deviations)):
            host = np.ascontiguousarray(deviations[series])
            rest = from_recent(host, np.zeros(metrics), RECENT_GAIN)
            if rows[series].any():
                patterns[series, 0] = whitening(host[rows[series]], LEVEL_SOFTENING)
                patterns[series, 1] = whitening(rest[rows[series]], RECENT_SOFTENING)
        return patterns

    def _calibrated(self, model: HostEnsembleModel, known: Batch) -> HostEnsembleModel:
        state = model.start()
        distances = model.distances(state, known)
        rows = rows_to_learn(known)
        tails = np.ones_like(model.tails)
        for series in range(len(distances)):
            if rows[series].any():
                quantiles = np.quantile(distances[series, rows[series]], TAIL, axis=0)
                tails[series] = np.maximum(quantiles, NEAR)
        shaped = replace(model, tails=tails)
        raw = np.where(rows, shaped.averaged(distances), np.nan)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=NEAR)
        return replace(shaped, threshold=threshold, mean=state.mean, held=state.held)

    def restore(self, arrays: Arrays) -> HostEnsembleModel:
        """The model again."""
        return HostEnsembleModel.from_arrays(arrays)


def member_weights(values: Floats) -> Floats:
    """Weights that sum to 1, shape (n_series, n_members), by the share of metrics that stay within 0 and
    1.
    """
    with np.errstate(invalid="ignore"):
        outside = np.any((values < 0.0) | (values > 1.0), axis=2)
    shares = 1.0 - outside.mean(axis=1)
    weights = np.where(shares[:, None] > 0.5, SHARES_WEIGHTS, RATES_WEIGHTS)
    normal: Floats = weights / weights.sum(axis=1, keepdims=True)
    return normal


def whitening(rows: Floats, softening: float) -> Floats:
    """What turns rows (n_rows, n_metrics) into parts of variance one, but for the smallest, which stay
    small.
    """
    bounded = np.clip(rows, -MAX_DEVIATION, MAX_DEVIATION)
    variance, components = np.linalg.eigh(np.cov(bounded, rowvar=False, bias=True).reshape(rows.shape[1], -1))
    white: Floats = components / np.sqrt(np.maximum(variance, 0.0) + softening)
    return white
