"""What a model must not learn from: time that was called anomalous, by the champion or by people.

In: a group and the grid it is to learn from. Out: spans by series. Refused: nothing. People have the last
word: what they called noise was ordinary time and is learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.labels import METRIC_NAME, LabelSet, without_name
from alertsite.core.samples import Bools
from ml.models import ModelGroup
from ml.services.outputs import GROUP_LABEL, METRIC_LABEL
from ml.services.reading import Grid, read_scores
from rules.models import Feedback

MAX_EXCLUDED: Final = 0.5
"""What lasts for more of the span than this is the new normal, whatever the old model says of it."""
UNENDED_S: Final = 3600
"""How long a judgement counts that names no end."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows of one series, by its place in the grid: to leave out, or to learn in spite of scores."""

    flagged: Bools
    by_people: Bools
    ordinary: Bools

    def mask(self) -> Bools:
        """The rows to leave out, shape (n_series, n_points)."""
        mask = (self.flagged & ~self.ordinary) | self.by_people
        mask[mask.mean(axis=1) > MAX_EXCLUDED] = False
        return mask


def excluded_spans(group: ModelGroup, grid: Grid, *, now_ms: int) -> Exclusion:
    """What scores and feedback say of the grid."""
    nothing = np.zeros(grid.values.shape, bool)
    exclusion = Exclusion(_flagged(group, grid, now_ms), nothing.copy(), nothing.copy())
    for verdict, number, rows in _feedback(group, grid):
        noise = verdict == Feedback.Verdict.NOISE
        (exclusion.ordinary if noise else exclusion.by_people)[number, rows] = True
    return exclusion


def mask_of(exclusion: Exclusion, grid: Grid) -> Bools | None:
    """The mask, or None when everything may be learned."""
    mask = exclusion.mask() & np.isfinite(grid.values)
    return mask if mask.any() else None


def _flagged(group: ModelGroup, grid: Grid, now_ms: int) -> Bools:
    """Where this group's own scores exceeded 1."""
    times = grid.batch.timestamps_ms
    ticks = range(int(times[0]), int(times[-1]) + 1, grid.batch.step_ms)
    scores = read_scores(group, ticks, now_ms=now_ms)
    of_series = {scored_labels(labels): row for labels, row in zip(scores.labels, scores.values, strict=True)}
    absent = np.zeros(grid.batch.points)
    with np.errstate(invalid="ignore"):
        return np.stack([of_series.get(frozenset(labels), absent) > 1.0 for labels in grid.labels])


def scored_labels(labels: LabelSet) -> frozenset[tuple[str, str]]:
    """The labels of the series that was scored."""
    pairs = dict(labels)
    pairs.pop(GROUP_LABEL, None)
    pairs[METRIC_NAME] = pairs.pop(METRIC_LABEL, "")
    return frozenset(pair for pair in pairs.items() if pair[1])


def _feedback(group: ModelGroup, grid: Grid) -> Iterator[tuple[str, int, Bools]]:
    """Judgements of time in the grid: verdict, series, rows."""
    times = grid.batch.timestamps_ms
    judged = Feedback.objects.for_tenant(group.tenant_id).filter(
        starts_at__gte=to_datetime(int(times[0])), starts_at__lte=to_datetime(int(times[-1]))
    )
    for row in judged.iterator():
        start_ms = from_datetime(row.starts_at)
        end_ms = start_ms + UNENDED_S * 1000 if row.ends_at is None else from_datetime(row.ends_at)
        told = set(row.labels.items())
        for number, labels in enumerate(grid.labels):
            if told and set(without_name(labels)) <= told:
                yield row.verdict, number, (times >= start_ms) & (times <= end_ms)
