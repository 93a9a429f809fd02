"""Clusters of a host's states: rows far from every state it is usually in.

In: hosts of many metrics. Out: scores that need no earlier rows. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.hosts import Scaling, judged, learn_scaling, metric_reasons, rows_to_learn
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.thresholds import tail_thresholds

ROUNDS = 25
MAX_ROWS = 4000
"""Rows that clusters are fitted to; more change them little."""
CHUNK_ROWS = 4096


def nearest(deviations: Floats, centres: Floats) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Root mean square distance to the nearest centre, and which it is; deviations (n_rows, n_metrics)."""
    norms = (centres**2).sum(axis=1)
    distance, which = np.empty(len(deviations)), np.empty(len(deviations), np.intp)
    for start in range(0, len(deviations), CHUNK_ROWS):
        rows = deviations[start : start + CHUNK_ROWS]
        squares = (rows**2).sum(axis=1)[:, None] - 2.0 * rows @ centres.T + norms
        which[start : start + CHUNK_ROWS] = squares.argmin(axis=1)
        distance[start : start + CHUNK_ROWS] = squares.min(axis=1)
    return np.sqrt(np.maximum(distance, 0.0) / max(deviations.shape[1], 1)), which


@dataclass(frozen=True)
class KMeansModel(RingSteps, ArrayModel):
    """Scaling, the centres of each host, shape (n_series, n_clusters, n_metrics), and its threshold."""

    level: Floats
    scale: Floats
    centres: Floats
    threshold: Floats

    detector: ClassVar[str] = "kmeans"
    context: ClassVar[int] = 0

    def score(self, batch: Batch) -> Scores:
        """Distance to the nearest centre, in thresholds."""
        deviations = Scaling(self.level, self.scale).deviations(batch)
        distances = np.empty(deviations.shape[:2])
        for index, rows in enumerate(deviations):
            distances[index] = nearest(rows, self.centres[index])[0]
        return Scores(judged(distances, self.threshold, batch))

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The metrics that lie furthest from the nearest usual state."""
        here = batch.rows(row, row + 1)
        deviations = Scaling(self.level, self.scale).deviations(here)[series]
        which = nearest(deviations, self.centres[series])[1][0]
        return metric_reasons(
            deviations[0] - self.centres[series, which],
            here.values[series, :, 0],
            float(self.score(here).score[series, 0]),
        )


@dataclass(frozen=True)
class KMeans:
    """Lloyd's algorithm from spread-out rows.

    References
    ----------
    D. Arthur and S. Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA.
    """

    clusters: int = 10
    false_alarm_rate: float = 1e-3
    min_distance: float = 0.5

    name: ClassVar[str] = "kmeans"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> KMeansModel:
        """Fit scaling, centres and threshold. Each host draws from the seed alone, so order does not
        matter.
        """
        scaling = learn_scaling(batch.learnable())
        deviations, rows = scaling.deviations(batch), rows_to_learn(batch)
        centres = np.zeros((len(batch), self.clusters, deviations.shape[2]))
        distances = np.full(deviations.shape[:2], np.nan)
        for index in range(len(batch)):
            known = deviations[index, rows[index]]
            if len(known):
                centres[index] = self._fit(known, np.random.default_rng(seed))
                distances[index, rows[index]] = nearest(known, centres[index])[0]
        threshold = tail_thresholds(
            distances, false_alarm_rate=self.false_alarm_rate, floor=self.min_distance
        )
        return KMeansModel(scaling.level, scaling.scale, centres, threshold)

    def _fit(self, known: Floats, random: np.random.Generator) -> Floats:
        rows = known[np.sort(random.permutation(len(known))[:MAX_ROWS])]
        centres = self._spread(rows, random)
        for _ in range(ROUNDS):
            _, which = nearest(rows, centres)
            counts = np.bincount(which, minlength=self.clusters)
            sums = np.zeros_like(centres)
            np.add.at(sums, which, rows)
            centres = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centres)
        return centres

    def _spread(self, rows: Floats, random: np.random.Generator) -> Floats:
        """First centres: each drawn in proportion to its squared distance from those before."""
        centres: Floats = rows[random.integers(len(rows))][None]
        while len(centres) < self.clusters:
            squares = nearest(rows, centres)[0] ** 2
            total = squares.sum()
            share = squares / total if total > 0 else None
            centres = np.concatenate([centres, rows[random.choice(len(rows), p=share)][None]])
        return centres

    def restore(self, arrays: Arrays) -> KMeansModel:
        """The model again."""
        return KMeansModel.from_arrays(arrays)
