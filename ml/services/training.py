"""Learning a new version of a group's model from stored history.

In: a group. Out: a version, champion at once unless it finds far too much. Refused: too little history.
Whatever fails leaves the old champion in place, and the group says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from celery.exceptions import SoftTimeLimitExceeded

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.labels import LabelSet, without_name
from alertsite.core.samples import Bools
from alertsite.tenancy.scope import tenant_scope
from ml.detectors.artefacts import save_model
from ml.detectors.protocol import Batch, Detector
from ml.detectors.registry import detector
from ml.learning.terms import on_terms
from ml.models import ModelGroup, ModelVersion
from ml.services.excluding import excluded_spans, mask_of
from ml.services.forecast_training import learn_forecasts
from ml.services.judging import MODEL_FAULTS, enough, terms_of, warm_rows
from ml.services.reading import Grid, read_grid
from ml.services.versions import Learned, TooLittleHistory, store

MAX_ROWS: Final = 10_000
SEASONS: Final = 3
RETRY_S: Final = 300
HELD_BACK: Final = 0.2
"""Share of the span that a trial model does not see, and is judged by."""
MAX_FLAGGED_RATIO: Final = 0.05
"""A model that calls more of ordinary time anomalous, and more than the champion did, waits for a person."""
SEED: Final = 1
AUTO: Final = "auto"
SHORT_DETECTOR: Final = "ewma"
DAYS_FOR_ENSEMBLE: Final = 2


@dataclass(frozen=True, slots=True)
class _Lesson:
    """What is learned from, and the champion whose scores said what to leave out."""

    grid: Grid
    batch: Batch
    parent: ModelVersion | None


def train_group(tenant_id: UUID, group_id: UUID, clock: Clock) -> ModelVersion | None:
    """Learn a version; None when nothing could be learned, and then the group says why."""
    with tenant_scope(tenant_id):
        rows = ModelGroup.objects.for_tenant(tenant_id).filter(pk=group_id)
        group: ModelGroup | None = rows.first()
        if group is None:
            return None
        now_ms = clock.now_ms()
        try:
            version = LEARNERS[group.kind](group, now_ms)
        except (*MODEL_FAULTS, SoftTimeLimitExceeded) as error:
            reason = str(error) or type(error).__name__
            rows.update(training_error=reason[:500], next_train_at=to_datetime(now_ms + RETRY_S * 1000))
            return None
        following = to_datetime(now_ms + group.retrain_interval_s * 1000)
        rows.update(training_error="", next_train_at=following)
        return version


def _learn(group: ModelGroup, now_ms: int) -> ModelVersion:
    lesson = _lesson(group, now_ms)
    quality = _quality(group, lesson.batch)
    model = detector_for(group, lesson.batch.points).learn(lesson.batch, seed=SEED)
    return _store(group, lesson, save_model(model), {"detector": model.detector, **quality})


def _nothing_to_learn(group: ModelGroup, now_ms: int) -> None:
    """Incidents are learned from alerts at each tick."""


LEARNERS: Final[Mapping[str, Callable[[ModelGroup, int], ModelVersion | None]]] = {
    ModelGroup.Kind.ANOMALY: _learn,
    ModelGroup.Kind.FORECAST: learn_forecasts,
    ModelGroup.Kind.INCIDENT: _nothing_to_learn,
}


def learning_rows(group: ModelGroup) -> int:
    """How many rows a model of the group learns from."""
    return min(max(SEASONS * group.season_s // group.step_s, 2 * warm_rows(group)), MAX_ROWS)


def detector_for(group: ModelGroup, points: int) -> Detector:
    """The group's detector; `auto` takes the mean of the recent past until it has seen two days.

    The ensemble compares with the same time of yesterday: on less it misses what is plain and flags what is
    ordinary.
    """
    short = points * group.step_s < DAYS_FOR_ENSEMBLE * 86_400
    return detector(SHORT_DETECTOR if group.detector == AUTO and short else group.detector)


def _lesson(group: ModelGroup, now_ms: int) -> _Lesson:
    step_ms = group.step_s * 1000
    rows = learning_rows(group)
    last_ms = now_ms // step_ms * step_ms
    found = read_grid(
        group.tenant_id,
        group.selector,
        range(last_ms - (rows - 1) * step_ms, last_ms + 1, step_ms),
        now_ms=now_ms,
    )
    ready = [labels for labels, ripe in zip(found.labels, enough(found.values, group), strict=True) if ripe]
    if not ready:
        raise TooLittleHistory(
            f"{len(found.labels)} series match, none has {group.warm_up_s} s of history, the warm-up"
        )
    grid = found.only(ready).since_first_sample()
    champions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group, status="champion")
    mask = mask_of(excluded_spans(group, grid, now_ms=now_ms), grid)
    batch = Batch(grid.batch.timestamps_ms, grid.batch.values, step_ms, excluded=mask)
    return _Lesson(grid, batch, champions.defer("artefact").first())


def _quality(group: ModelGroup, batch: Batch) -> dict[str, Any]:
    """How much of held-back time, which nobody called bad, a trial model finds anomalous."""
    cut = batch.points - max(int(batch.points * HELD_BACK), 1)
    trial = detector_for(group, cut).learn(batch.rows(0, cut), seed=SEED)
    first = cut if trial.context < 0 else max(cut - trial.context, 0)
    seen = batch.rows(first, batch.points)
    judged = on_terms(trial.score(seen), seen.values[:, 0], terms_of(group))
    ordinary = np.isfinite(judged.score[:, cut - first :])
    if batch.excluded is not None:
        ordinary &= ~batch.excluded[:, cut:]
    flagged = ordinary & (judged.score[:, cut - first :] > 1.0)
    return {
        "flagged_ratio": float(flagged.sum() / max(ordinary.sum(), 1)),
        "held_back_samples": int(ordinary.sum()),
        "excluded_samples": 0 if batch.excluded is None else int(batch.excluded.sum()),
        "series": len(batch),
    }


def _store(group: ModelGroup, lesson: _Lesson, artefact: bytes, quality: dict[str, Any]) -> ModelVersion:
    """Save the version; it scores unless it flags much, and more than the champion."""
    times = lesson.batch.timestamps_ms
    learned = Learned(
        name=quality["detector"],
        artefact=artefact,
        series=lesson.grid.labels,
        from_ms=int(times[0]),
        until_ms=int(times[-1]),
        quality=quality,
        excluded=_spans_of(lesson.batch.excluded, lesson.grid.labels, times.tolist()),
        parent=lesson.parent,
    )

    def accepted(champion: Mapping[str, Any] | None) -> bool:
        bound = 1.0 if champion is None else max(MAX_FLAGGED_RATIO, champion.get("flagged_ratio", 1.0))
        return bool(quality["flagged_ratio"] <= bound)

    return store(group, learned, accepted)


def _spans_of(mask: Bools | None, labels: Sequence[LabelSet], times: list[int]) -> list[dict[str, Any]]:
    """Runs of excluded rows, for people."""
    if mask is None:
        return []
    spans = []
    for number, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row, [False])).astype(np.int8)))
        for start, stop in edges.reshape(-1, 2).tolist():
            name = dict(without_name(labels[number]))
            spans.append({"series": name, "start_ms": times[start], "end_ms": times[stop - 1]})
    return spans
