"""Vector autoregression: a host's next row, from its last rows, all metrics together.

In: hosts of many metrics. Out: scores of how far a row lies from its forecast. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Bools, Floats
from ml.detectors.hosts import Scaling, judged, learn_scaling, metric_reasons, rows_to_learn
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.thresholds import tail_thresholds

LAGS = 2
MAX_LAGGED = 20.0
"""Lagged deviations end here: an exploding row does not make a nonsense forecast of the next."""
MIN_ERROR = 0.1


def lagged(deviations: Floats) -> Floats:
    """The last `LAGS` rows beside a one, for each row from `LAGS` on; deviations (n_rows, n_metrics)."""
    bounded = np.clip(deviations, -MAX_LAGGED, MAX_LAGGED)
    rows = len(deviations)
    before = [bounded[LAGS - lag : rows - lag] for lag in range(1, LAGS + 1)]
    return np.concatenate([*before, np.ones((max(rows - LAGS, 0), 1))], axis=1)


@dataclass(frozen=True)
class VectorAutoregressionModel(RingSteps, ArrayModel):
    """Scaling; coefficients (n_series, LAGS * n_metrics + 1, n_metrics); spread of errors; threshold."""

    level: Floats
    scale: Floats
    coefficients: Floats
    spread: Floats
    threshold: Floats

    detector: ClassVar[str] = "vector_autoregression"
    context: ClassVar[int] = LAGS

    def score(self, batch: Batch) -> Scores:
        """Root mean square of the errors, in thresholds; 0 before there are lags."""
        errors = self.errors(Scaling(self.level, self.scale).deviations(batch))
        return Scores(judged(np.sqrt(np.mean(errors**2, axis=2)), self.threshold, batch))

    def errors(self, deviations: Floats) -> Floats:
        """What the forecasts missed, in usual errors; shape of `deviations`."""
        errors = np.zeros_like(deviations)
        if deviations.shape[1] > LAGS:
            for index, rows in enumerate(deviations):
                forecast = lagged(rows) @ self.coefficients[index]
                errors[index, LAGS:] = (rows[LAGS:] - forecast) / self.spread[index]
        return errors

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The metrics that lie furthest from their forecasts."""
        here = batch.rows(max(0, row - LAGS), row + 1)
        errors = self.errors(Scaling(self.level, self.scale).deviations(here))[series, -1]
        return metric_reasons(errors, here.values[series, :, -1], float(self.score(here).score[series, -1]))


@dataclass(frozen=True)
class VectorAutoregression:
    """Ridge regression of each metric on the last two rows of all.

    References
    ----------
    C. A. Sims (1980), Macroeconomics and reality, Econometrica 48(1).
    """

    ridge: float = 100.0
    false_alarm_rate: float = 1e-3
    min_error: float = 1.0

    name: ClassVar[str] = "vector_autoregression"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> VectorAutoregressionModel:
        """Fit each host; nothing is drawn at random."""
        del seed
        scaling = learn_scaling(batch.learnable())
        deviations, rows = scaling.deviations(batch), rows_to_learn(batch)
        metrics = deviations.shape[2]
        coefficients = np.zeros((len(batch), LAGS * metrics + 1, metrics))
        spread = np.ones((len(batch), metrics))
        for index in range(len(batch)):
            usable = self._usable(rows[index])
            if usable.any():
                coefficients[index], spread[index] = self._fit(deviations[index], usable)
        model = VectorAutoregressionModel(
            scaling.level, scaling.scale, coefficients, spread, np.ones(len(batch))
        )
        raw = np.where(rows, np.sqrt(np.mean(model.errors(deviations) ** 2, axis=2)), np.nan)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_error)
        return VectorAutoregressionModel(scaling.level, scaling.scale, coefficients, spread, threshold)

    @staticmethod
    def _usable(
        rows: Bools,
    ) -> Bools:
        """Rows from `LAGS` on that may be learned, with the rows they depend on."""
        usable = rows[LAGS:].copy()
        for lag in range(1, LAGS + 1):
            usable &= rows[LAGS - lag : len(rows) - lag]
        return usable

    def _fit(self, deviations: Floats, usable: Bools) -> tuple[Floats, Floats]:
        known, targets = lagged(deviations)[usable], deviations[LAGS:][usable]
        bounded = np.clip(targets, -MAX_LAGGED, MAX_LAGGED)
        gram = known.T @ known + self.ridge * np.eye(known.shape[1])
        coefficients = np.asarray(np.linalg.solve(gram, known.T @ bounded), np.float64)
        spread: Floats = np.std(bounded - known @ coefficients, axis=0) + MIN_ERROR
        return coefficients, spread

    def restore(self, arrays: Arrays) -> VectorAutoregressionModel:
        """The model again."""
        return VectorAutoregressionModel.from_arrays(arrays)
