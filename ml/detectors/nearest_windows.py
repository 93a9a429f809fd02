"""The nearest windows: how far the last rows lie from the most alike rows of the past.

In: single metrics. Out: scores that tell where a series begins to do what it has not done before, following
it from where learning ended. Refused: hosts of many metrics.

A window is as strange as its mean distance from its nearest kin, in units of the distance that nine of ten
windows of that series stay below. So a spike says little in a series of spikes and much in a smooth one, and
one bound serves all series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numba as nb
import numpy as np

from alertsite.core.samples import Floats, Ints
from ml.detectors.bands import capped, robust_level, single_metric
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.stream import Floats32

WIDTH: Final = 30
"""Rows of a window."""
PAST: Final = 2000
"""Windows that are kept; the oldest leaves for a new one."""
NEIGHBOURS: Final = 15
LAG: Final = WIDTH
"""Windows that share rows with the present one are no past."""
ROWS: Final = PAST + LAG + WIDTH
"""Rows that hold all windows; they are kept twice, one after the other, so that each lies in one piece."""
USUAL_SHARE: Final = 0.9
FORGETTING: Final = 1.0 - 1.0 / 8000.0
"""Of the usual distances, a row."""
BINS: Final = 64
NARROWEST, WIDEST = 1e-5, 1e5
"""Distances are counted in parts of equal ratio between these."""
FLOOR: Final = 0.01
"""Added to the usual distance, in deviations a row: what differs by less is alike."""
ENOUGH: Final = 30
"""Distances that must have been counted before a usual one is known."""
THRESHOLD: Final = 1.1
"""Anomalous is what lies twice as far from its kin as is usual, by the log of one and that ratio."""
MAX_DEVIATION: Final = 1e4


@nb.njit(cache=True)
def nearest(rows: Floats32, end: int, squares: Floats32, best: Floats) -> float:
    """The mean distance of the window that ends before `end` from the nearest of those before it.

    The distance is the root of the mean square a row. `squares`, one for each window before, and `best`, one
    for each neighbour, are room to work in.
    """
    squares[:] = 0.0
    oldest = end - LAG - WIDTH - len(squares) + 1
    for row in range(WIDTH):
        value = rows[end - WIDTH + row]
        # A slice of its own, so that the inner loop is compiled to vector instructions.
        past = rows[oldest + row : oldest + row + len(squares)]
        for window in range(len(squares)):
            off = value - past[window]
            squares[window] += off * off
    best[:] = np.inf
    for square in squares:
        if square < best[-1]:
            place = len(best) - 1
            while place > 0 and best[place - 1] > square:
                best[place] = best[place - 1]
                place -= 1
            best[place] = square
    return float(np.sqrt(best / WIDTH).mean())


@nb.njit(cache=True)
def usual_distance(counts: Floats) -> float:
    """The distance that `USUAL_SHARE` of the counted ones stay below; 0 before any is known."""
    wanted = USUAL_SHARE * counts.sum()
    below = 0.0
    for place in range(BINS):
        if counts[place] > 0.0 and below + counts[place] >= wanted:
            share = (place + (wanted - below) / counts[place]) / BINS
            return float(NARROWEST * (WIDEST / NARROWEST) ** share)
        below += counts[place]
    return 0.0


@nb.njit(cache=True)
def count_distance(counts: Floats, distance: float) -> None:
    """Count one distance, and forget a little of those before."""
    share = np.log(max(distance, NARROWEST) / NARROWEST) / np.log(WIDEST / NARROWEST)
    counts *= FORGETTING
    counts[min(int(share * BINS), BINS - 1)] += 1.0


@nb.njit(cache=True)
def follow(values: Floats, rows: Floats32, counts: Floats, seen: Ints) -> tuple[Floats, Floats]:
    """Distances and the usual ones at that time, shape of `values`; both 0 before they are known.

    Parameters
    ----------
    values
        Shape (n_series, n_points), in deviations. NaN: missing, and passed over.
    rows, counts, seen
        Shapes (n_series, 2 * ROWS), (n_series, BINS) and (n_series,): the memory, changed.
    """
    distances, usual = np.zeros(values.shape), np.zeros(values.shape)
    squares, best = np.empty(PAST, np.float32), np.empty(NEIGHBOURS)
    for series in range(values.shape[0]):
        for point in range(values.shape[1]):
            if np.isnan(values[series, point]):
                continue
            place = seen[series] % ROWS
            rows[series, place] = rows[series, place + ROWS] = values[series, point]
            seen[series] += 1
            count = min(seen[series] - WIDTH - LAG + 1, PAST)
            if count < NEIGHBOURS:
                continue
            # The second copy ends with the newest row; the oldest windows reach into the first.
            distances[series, point] = nearest(rows[series], place + ROWS + 1, squares[:count], best)
            if counts[series].sum() >= ENOUGH - 1:
                usual[series, point] = usual_distance(counts[series])
            count_distance(counts[series], distances[series, point])
    return distances, usual


@dataclass
class Memory:
    """The last rows, how often each distance was met, and rows seen, in the shapes of `follow`."""

    rows: Floats32
    counts: Floats
    seen: Ints


@dataclass(frozen=True)
class NearestWindowsModel(ArrayModel):
    """Level and scale, shapes (n_series,), and the memory where learning ended."""

    level: Floats
    scale: Floats
    rows: Floats32
    counts: Floats
    seen: Ints

    detector: ClassVar[str] = "nearest_windows"
    context: ClassVar[int] = -1

    def score(self, batch: Batch) -> Scores:
        """How far the window that ends with each row lies from its kin, in thresholds."""
        return Scores(self._score(self.start(), single_metric(batch.values))[0])

    def start(self) -> Memory:
        """The memory where learning ended."""
        return Memory(self.rows.copy(), self.counts.copy(), self.seen.copy())

    def step(self, state: Memory, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row and keep it."""
        del timestamp_ms
        return self._score(state, values)[0][:, 0]

    def _score(self, memory: Memory, values: Floats) -> tuple[Floats, Floats]:
        """Scores and distances of values (n_series, n_points); changes `memory`."""
        deviations = on_scale(values, self.level, self.scale)
        distances, usual = follow(deviations, memory.rows, memory.counts, memory.seen)
        score = np.where(usual > 0.0, np.log1p(distances / (usual + FLOOR)) / THRESHOLD, 0.0)
        return capped(np.where(np.isnan(values), np.nan, score)), distances

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The distance from the nearest windows, in usual deviations a row."""
        scores, distances = self._score(self.start(), single_metric(batch.values)[:, : row + 1])
        name = f"distance of the last {WIDTH} rows from the most alike of the past"
        return [Reason(name, float(distances[series, -1]), float(np.nan_to_num(scores[series, -1])))]


def on_scale(values: Floats, level: Floats, scale: Floats) -> Floats:
    """Values (n_series, n_points) in deviations from the level, bounded."""
    with np.errstate(over="ignore"):
        deviations = (values - level[:, None]) / scale[:, None]
    bounded: Floats = np.clip(deviations, -MAX_DEVIATION, MAX_DEVIATION)
    return bounded


@dataclass(frozen=True)
class NearestWindows:
    """Keeps the last windows of each series; nothing is drawn at random, and nothing is fitted to labels.

    References
    ----------
    E. Burnaev, V. Ishimtsev (2016), Conformalized density- and distance-based anomaly detection in
    time-series data, arXiv:1608.04585.
    """

    name: ClassVar[str] = "nearest_windows"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> NearestWindowsModel:
        """Find level and scale, and follow what may be learned."""
        del seed
        values = single_metric(batch.learnable())
        level, scale = robust_level(values)
        rows = np.zeros((len(values), 2 * ROWS), np.float32)
        counts, seen = np.zeros((len(values), BINS)), np.zeros(len(values), np.int64)
        follow(on_scale(values, level, scale), rows, counts, seen)
        return NearestWindowsModel(level, scale, rows, counts, seen)

    def restore(self, arrays: Arrays) -> NearestWindowsModel:
        """The model again."""
        return NearestWindowsModel.from_arrays(arrays)
