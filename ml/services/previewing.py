"""What a model group would have found in past time. Nothing is written.

In: a group, saved or not, and a span. Out: events and a plot of the strangest series. Refused: spans that
are empty or too long, and too little history before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, label_set
from alertsite.core.samples import Floats, Ints
from ml.detectors.protocol import Scores
from ml.models import ModelGroup
from ml.services.judging import cut_to_ticks, enough, only_anomalies
from ml.services.reading import Grid, read_group
from ml.services.training import SEED, detector_for, learning_rows
from ml.services.versions import TooLittleHistory
from rules.evaluation.plots import Line, Plot
from rules.evaluation.scoring import Span
from rules.services.transitions import finite

MAX_ROWS: Final = 10_900
"""Rows of history and span together: the bound of a query, with room for both ends."""


@dataclass(frozen=True, slots=True)
class Event:
    """A run of anomalous ticks of one series, and its highest score."""

    labels: LabelSet
    start_ms: int
    end_ms: int
    peak_ms: int
    peak: float


@dataclass(frozen=True, slots=True)
class Preview:
    """What would have been found: events of all series in order of time, and the plot of the strangest."""

    events: list[Event]
    series: int
    plot: Plot


def preview(group: ModelGroup, start_ms: int, end_ms: int, *, now_ms: int) -> Preview:
    """Learn from what was before the span, and score the span.

    Raises
    ------
    InvalidParameter
        If the span is empty, or too long at the group's step, or the group is of another kind.
    TooLittleHistory
        If no series has the warm-up before the span.
    """
    only_anomalies(group)
    step_ms = group.step_s * 1000
    ticks = range(-(-start_ms // step_ms) * step_ms, end_ms + 1, step_ms)
    rows = learning_rows(group)
    if not 0 < len(ticks) <= MAX_ROWS // 2:
        raise InvalidParameter("ticks", len(ticks), f"1 to {MAX_ROWS // 2} from start to end at this step")
    before = min(rows, MAX_ROWS - len(ticks))
    span = range(ticks[0] - before * step_ms, ticks[-1] + 1, step_ms)
    found = read_group(group, span, now_ms=now_ms)
    ripe = enough(found.values[:, :before], group)
    if not ripe.any():
        raise TooLittleHistory(f"none of {len(found.labels)} series has {group.warm_up_s} s before the span")
    grid = found.only([labels for labels, ready in zip(found.labels, ripe, strict=True) if ready])
    grid = grid.since_first_sample()
    scores = _scored(group, grid, ticks)
    events = sorted(_events(grid.labels, scores.score, np.array(ticks)), key=lambda one: one.start_ms)
    return Preview(events, len(grid.labels), _plot(grid, scores, ticks, events))


def _scored(group: ModelGroup, grid: Grid, ticks: range) -> Scores:
    before = grid.batch.points - len(ticks)
    model = detector_for(group, before).learn(grid.batch.rows(0, before), seed=SEED)
    first = before if model.context < 0 else max(before - model.context, 0)
    return cut_to_ticks(group, grid, model.score(grid.batch.rows(first, grid.batch.points)), ticks)


def _events(labels: Sequence[LabelSet], scores: Floats, times: Ints) -> Iterator[Event]:
    for number, row in enumerate(np.nan_to_num(scores)):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row > 1.0, [False])).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            peak = start + int(np.argmax(row[start:stop]))
            yield Event(
                labels[number], int(times[start]), int(times[stop - 1]), int(times[peak]), float(row[peak])
            )


def _plot(grid: Grid, scores: Scores, ticks: range, events: Sequence[Event]) -> Plot:
    """The strangest series, what was expected of it, and its events shaded; of hosts the score."""
    shown = int(np.argmax(np.nan_to_num(scores.score).max(axis=1)))
    values = scores.score[shown] if grid.columns else grid.values[shown, -len(ticks) :]
    lines = [Line(grid.labels[shown], _drawn(values))]
    for name in ("expected", "lower", "upper"):
        band = getattr(scores, name)[shown]
        if np.isfinite(band).any():
            lines.append(Line(label_set({"__name__": f"anomaly_{name}"}), _drawn(band)))
    spans = [Span(one.start_ms, one.end_ms) for one in events if one.labels == grid.labels[shown]]
    return Plot(np.array(ticks), lines, None, spans)


def _drawn(values: Floats) -> list[float | None]:
    return [finite(value) for value in values.tolist()]
