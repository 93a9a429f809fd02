"""Detectors over a pack of series, as they would have run live.

In: a series with its training part, a detector, a seed. Out: a score a row, alerts, and what it cost.
Every score is causal: a detector learns from the training part, and again from all rows so far whenever
their number has grown by `REFIT_GROWTH`, with the rows it flagged itself left out. Refused: nothing that
`packs` read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alertsite.core.samples import Bools, Floats
from ml.detectors.ensemble import Auto
from ml.detectors.protocol import Batch, Detector
from ml.learning.packs import PackSeries, read_pack, result_path, write_columns

PROBATION_SHARE, PROBATION_ROWS = 0.15, 750
"""Without a training part, what benchmarks leave unscored is learned from: 15 % of the rows, 750 at
most."""
MIN_TRAINED_ROWS = 8
REFIT_GROWTH = 1.5
MAX_EXCLUDED_SHARE = 0.1
"""If more than this is flagged, the world has changed rather than erred, and the flagged rows are learned
too."""
TOP_METRICS = 3
"""A host scored metric by metric is as strange as its strangest three metrics are on average."""
ONSET_REST_SHARE = 0.1
"""Where onsets count, an alarm keeps down what follows, less and less, for this share of the series."""
ONSET_RISE = 1.5
"""A further alarm right after one must be as much higher."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Scores of the scored part, shape (n_rows,), and the CPU seconds of learning and of scoring."""

    score: Floats
    learn_s: float
    score_s: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What evaluating one series took. `rows` are all rows, the training part's too."""

    series: str
    rows: int
    alerts: int
    learn_s: float
    score_s: float
    score_us_per_row: float
    us_per_row: float


@dataclass(frozen=True, slots=True)
class Run:
    """How to evaluate: which series (all if empty), the seed, and a clock of CPU seconds."""

    seed: int
    cpu_clock: Callable[[], float]
    only: frozenset[str] = frozenset()


def evaluate_pack(detector: Detector, pack: Path, out: Path, run: Run) -> Iterator[Cost]:
    """Write `timestamp,score,alert` of each series of a pack into `out`, one file a series."""
    for series in read_pack(pack, run.only):
        found = evaluate(detector, series, seed=run.seed, cpu_clock=run.cpu_clock)
        alerts = found.score > 1.0
        columns = (
            series.stamps[series.trained_rows :],
            [f"{value:.9g}" for value in found.score],
            ["1" if alert else "0" for alert in alerts],
        )
        write_columns(result_path(out, series.id), ("timestamp", "score", "alert"), columns)
        rows = max(len(series.stamps), 1)
        yield Cost(
            series=series.id,
            rows=rows,
            alerts=int(alerts.sum()),
            learn_s=found.learn_s,
            score_s=found.score_s,
            score_us_per_row=1e6 * found.score_s / rows,
            us_per_row=1e6 * (found.learn_s + found.score_s) / rows,
        )


def evaluate(
    detector: Detector, series: PackSeries, *, seed: int, cpu_clock: Callable[[], float]
) -> Evaluated:
    """Scores of the rows after the training part; of all rows if there is none.

    `cpu_clock` gives CPU seconds, such as `time.process_time`.
    """
    detector = fitting(detector, series)
    batch = batch_of(series, joint=detector.joint)
    scores = np.zeros((len(batch), batch.points))
    learn_s = score_s = 0.0
    for start, stop in spans(series.trained_rows, batch.points, adapts=detector.adapts):
        known = batch.rows(0, start)
        began = cpu_clock()
        model = detector.learn(replace(known, excluded=flagged(scores[:, :start])), seed=seed)
        learned = cpu_clock()
        # The first fit also scores what it learned from, so that the next fit can leave out the flagged rows.
        kept = start if detector.adapts or scores[:, :start].any() else 0
        begin = start if detector.adapts else first_row(model.context, kept)
        scores[:, kept:stop] = model.score(batch.rows(begin, stop)).score[:, kept - begin :]
        learn_s += learned - began
        score_s += cpu_clock() - learned
    host = combined(scores)[series.trained_rows :]
    return Evaluated(onsets(host) if series.onsets_count else host, learn_s, score_s)


def first_row(context: int, kept: int) -> int:
    """The row to score from, so that row `kept` has the rows it depends on."""
    return 0 if context < 0 else max(0, kept - context)


def batch_of(series: PackSeries, *, joint: bool) -> Batch:
    """A series as one host of many metrics, or as that many series of one metric each."""
    values = series.values[None] if joint else series.values[:, None]
    return Batch(series.timestamps_ms, values, round(series.step_s * 1000))


def probation(points: int) -> int:
    """Rows to learn from where a pack has no training part."""
    return max(1, min(int(PROBATION_SHARE * points), PROBATION_ROWS))


def spans(trained: int, points: int, *, adapts: bool) -> Iterator[tuple[int, int]]:
    """Row spans `start:stop` to score with what was learned from the rows before `start`.

    A detector that adapts while it scores learns once.
    """
    start = max(trained or probation(points), min(MIN_TRAINED_ROWS, points - 1))
    while start < points:
        stop = points if adapts else min(points, max(start + 1, round(start * REFIT_GROWTH)))
        yield start, stop
        start = stop


def flagged(scores: Floats) -> Bools:
    """Rows that were called anomalous, unless so many were that they are the new ordinary."""
    above: Bools = scores > 1.0
    above[np.mean(above, axis=1) > MAX_EXCLUDED_SHARE] = False
    return above


def combined(scores: Floats) -> Floats:
    """One score a row of scores a metric: the mean of the highest `TOP_METRICS`; NaN counts as 0."""
    known = np.sort(np.nan_to_num(scores, nan=0.0), axis=0)
    top: Floats = known[-TOP_METRICS:].mean(axis=0)
    return top


def onsets(score: Floats) -> Floats:
    """The score where it rises above what the last alarm asks for, else 0: an alarm is raised once.

    Asked for is `ONSET_RISE` times the alarm's height, falling to nothing while the alarm rests.
    """
    rest = max(1.0, ONSET_REST_SHARE * len(score))
    kept = np.zeros_like(score)
    height, age = 0.0, 0
    for row, value in enumerate(score):
        age += 1
        if value > height * ONSET_RISE * max(0.0, 1.0 - age / rest):
            kept[row], height, age = value, value, 0
    return kept


def fitting(detector: Detector, series: PackSeries) -> Detector:
    """The detector, or of `auto` the one that tells onsets where they count."""
    return detector.onsets if series.onsets_count and isinstance(detector, Auto) else detector
