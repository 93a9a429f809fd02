"""What a group of anomalies would have found in past time. Nothing is written.

In: a group, saved or not, and a span. Out: events and plots of the strangest series. Refused: spans that are
empty or too long, and too little history before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, label_set
from alertsite.core.samples import Floats, Ints
from ml.detectors.protocol import Scores
from ml.models import ModelGroup
from ml.services.judging import cut_to_ticks, enough
from ml.services.reading import Grid, read_group
from ml.services.training import SEED, detector_for, learning_rows
from ml.services.versions import TooLittleHistory
from rules.evaluation.plots import Band, Line, Plot
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
    """What would have been found: events of all series in order of time, and plots of the strangest.

    Of anomalies: its values with what was expected of them, then its scores. Of forecasts: one plot a series,
    and `quality` as a version of the model would have it.
    """

    events: list[Event]
    series: int
    plots: list[Plot]
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What makes an event: scores above `threshold` for at least `hold_ms`, as a rule would ask."""

    threshold: float = 1.0
    hold_ms: int = 0


ANY: Final = Alarm()


def preview_anomalies(
    group: ModelGroup, start_ms: int, end_ms: int, *, now_ms: int, alarm: Alarm = ANY
) -> Preview:
    """Learn from what was before the span, and score the span.

    Raises
    ------
    InvalidParameter
        If the span is empty, or too long at the group's step.
    TooLittleHistory
        If no series has the warm-up before the span.
    """
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
    found_events = _events(grid.labels, scores.score, np.array(ticks), alarm)
    events = sorted(found_events, key=lambda one: one.start_ms)
    return Preview(events, len(grid.labels), _plots(grid, scores, ticks, events, alarm))


def _scored(group: ModelGroup, grid: Grid, ticks: range) -> Scores:
    before = grid.batch.points - len(ticks)
    model = detector_for(group, before).learn(grid.batch.rows(0, before), seed=SEED)
    first = before if model.context < 0 else max(before - model.context, 0)
    return cut_to_ticks(group, grid, model.score(grid.batch.rows(first, grid.batch.points)), ticks)


def _events(labels: Sequence[LabelSet], scores: Floats, times: Ints, alarm: Alarm) -> Iterator[Event]:
    for number, row in enumerate(np.nan_to_num(scores)):
        above = np.concatenate(([False], row > alarm.threshold, [False]))
        for start, stop in np.flatnonzero(np.diff(above.astype(np.int8))).reshape(-1, 2).tolist():
            if times[stop - 1] - times[start] < alarm.hold_ms:
                continue
            peak = start + int(np.argmax(row[start:stop]))
            yield Event(
                labels[number], int(times[start]), int(times[stop - 1]), int(times[peak]), float(row[peak])
            )


def _plots(grid: Grid, scores: Scores, ticks: range, events: Sequence[Event], alarm: Alarm) -> list[Plot]:
    """The strangest series with what was expected of it, where that is told, and its scores."""
    shown = int(np.argmax(np.nan_to_num(scores.score).max(axis=1)))
    labels, times = grid.labels[shown], np.array(ticks)
    spans = [Span(one.start_ms, one.end_ms) for one in events if one.labels == labels]
    score = label_set({"__name__": "anomaly_score", **{k: v for k, v in labels if k != "__name__"}})
    of_scores = Plot(times, [Line(score, drawn(scores.score[shown]))], alarm.threshold, spans, legend=True)
    if grid.columns:
        return [of_scores]
    lines, bands = [Line(labels, drawn(grid.values[shown, -len(ticks) :]))], []
    if scores.expected is not None and np.isfinite(scores.expected[shown]).any():
        lines.append(Line(label_set({"__name__": "anomaly_expected"}), drawn(scores.expected[shown])))
    if scores.lower is not None and scores.upper is not None and np.isfinite(scores.lower[shown]).any():
        band = Band("anomaly_lower to anomaly_upper", drawn(scores.lower[shown]), drawn(scores.upper[shown]))
        bands.append(band)
    return [Plot(times, lines, None, spans, bands, legend=True), of_scores]


def drawn(values: Floats) -> list[float | None]:
    """As plots take values: None where there is none."""
    return [finite(value) for value in values.tolist()]
