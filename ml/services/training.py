"""Learning a new version of a group's model from stored history.

In: a group. Out: a version, champion at once unless it finds far too much. Refused: too little history.
Whatever fails leaves the old champion in place, and the group says why.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import numpy as np
from celery.exceptions import SoftTimeLimitExceeded

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, without_name
from alertsite.core.samples import Bools, Floats
from alertsite.tenancy.scope import tenant_scope
from ml.detectors.artefacts import save_model
from ml.detectors.protocol import Batch, Detector, Model
from ml.detectors.registry import DEEP, detector
from ml.learning.terms import on_terms
from ml.models import ModelGroup, ModelVersion
from ml.services.calibrating import calibrate_group
from ml.services.checkpoints import checkpoints_of
from ml.services.drifting import profiles_of
from ml.services.excluding import excluded_spans, mask_of
from ml.services.forecast_training import learn_forecasts
from ml.services.judging import MODEL_FAULTS, enough, terms_of, warm_rows
from ml.services.pruning import prune_versions
from ml.services.reading import Grid, read_group
from ml.services.versions import Learned, TooLittleHistory, store

MAX_ROWS: Final = 10_000
MAX_VALUES: Final = 20_000_000
"""Values that are learned from at once: the bound of memory, 160 MB before a detector takes its own."""
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
    trial: _Trial | None = None


@dataclass(frozen=True, slots=True)
class _Trial:
    """What a model that did not see the last fifth said of it: its quality, and scores of ordinary time."""

    quality: dict[str, Any]
    scores: Floats


def train_group(tenant_id: UUID, group_id: UUID, clock: Clock) -> ModelVersion | None:
    """Learn a version; None when nothing could be learned, and then the group says why."""
    with tenant_scope(tenant_id):
        rows = ModelGroup.objects.for_tenant(tenant_id).filter(pk=group_id)
        group: ModelGroup | None = rows.first()
        if group is None:
            return None
        now_ms = clock.now_ms()
        try:
            version = LEARNERS[group.kind](group, clock)
        except (*MODEL_FAULTS, SoftTimeLimitExceeded) as error:
            reason = str(error) or type(error).__name__
            rows.update(training_error=reason[:500], next_train_at=to_datetime(now_ms + RETRY_S * 1000))
            return None
        following = to_datetime(now_ms + group.retrain_interval_s * 1000)
        rows.update(training_error="", next_train_at=following)
        if version is not None:
            version.quality |= {"learned_in_s": (clock.now_ms() - now_ms) / 1000, "peak_memory_mb": peak_mb()}
            version.save(update_fields=["quality"])
            prune_versions(group, now=to_datetime(now_ms))
        return version


def peak_mb() -> int:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _learn(group: ModelGroup, clock: Clock) -> ModelVersion:
    calibrate_group(group, now_ms=clock.now_ms())
    step_ms = group.step_s * 1000
    progress = checkpoints_of(group, clock.now_ms() // step_ms * step_ms, clock.now_ms)
    lesson = _lesson(group, progress.until_ms, now_ms=clock.now_ms())
    chosen = detector_for(group, lesson.batch.points)
    terms = {"progress": progress} if chosen.name in DEEP else {}
    model = chosen.learn(lesson.batch, seed=SEED, **terms)
    lesson = replace(lesson, trial=_trial(group, lesson.batch))
    version = _store(group, lesson, model)
    progress.done()
    return version


def _nothing_to_learn(group: ModelGroup, clock: Clock) -> None:
    """Incidents are learned from alerts at each tick."""


LEARNERS: Final[Mapping[str, Callable[[ModelGroup, Clock], ModelVersion | None]]] = {
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
    short = not group.host_label and points * group.step_s < DAYS_FOR_ENSEMBLE * 86_400
    return detector(SHORT_DETECTOR if group.detector == AUTO and short else group.detector)


def _lesson(group: ModelGroup, last_ms: int, *, now_ms: int) -> _Lesson:
    step_ms = group.step_s * 1000
    rows = learning_rows(group)
    found = read_group(group, range(last_ms - (rows - 1) * step_ms, last_ms + 1, step_ms), now_ms=now_ms)
    ready = [labels for labels, ripe in zip(found.labels, enough(found.values, group), strict=True) if ripe]
    if not ready:
        raise TooLittleHistory(
            f"{len(found.labels)} series match, none has {group.warm_up_s} s of history, the warm-up"
        )
    grid = found.only(ready).since_first_sample()
    if grid.batch.values.size > MAX_VALUES:
        raise InvalidParameter("selector", group.selector, f"{MAX_VALUES} values of all series together")
    champions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group, status="champion")
    mask = mask_of(excluded_spans(group, grid, now_ms=now_ms), grid)
    batch = Batch(grid.batch.timestamps_ms, grid.batch.values, step_ms, excluded=mask)
    return _Lesson(grid, batch, champions.defer("artefact").first())


def _trial(group: ModelGroup, batch: Batch) -> _Trial:
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
    quality = {
        "flagged_ratio": float(flagged.sum() / max(ordinary.sum(), 1)),
        "held_back_samples": int(ordinary.sum()),
        "excluded_samples": 0 if batch.excluded is None else int(batch.excluded.sum()),
        "series": len(batch),
    }
    return _Trial(quality, judged.score[:, cut - first :][ordinary])


def _store(group: ModelGroup, lesson: _Lesson, model: Model) -> ModelVersion:
    """Save the version; it scores unless it flags much, and more than the champion."""
    times = lesson.batch.timestamps_ms
    trial = lesson.trial or _Trial({}, np.empty(0))
    quality = {"detector": model.detector, **trial.quality}
    learned = Learned(
        name=model.detector,
        artefact=save_model(model),
        series=lesson.grid.labels,
        from_ms=int(times[0]),
        until_ms=int(times[-1]),
        quality=quality,
        excluded=_spans_of(lesson.batch.excluded, lesson.grid.labels, times.tolist()),
        parent=lesson.parent,
        columns=lesson.grid.columns,
        profile=profiles_of(lesson.batch.learnable()[:, 0], trial.scores),
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
