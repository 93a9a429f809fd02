"""Drift: recent values and scores against those that the champion learned from.

In: a group whose look is due. Out: series `model_drift`, an event where one is above its bound, and a
training that is due at once. Refused: nothing; groups without a champion are passed over. A champion is left
alone for a quarter of the retraining interval, so that drift trains four times as often as the schedule at
most.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import Clock, from_datetime, to_datetime
from alertsite.core.labels import label_set
from alertsite.core.samples import Floats
from alertsite.tenancy.scope import tenant_scope
from ml.learning.drift import PSI_BOUND, Profile, profile_of, stability_index
from ml.models import DriftEvent, ModelGroup, ModelVersion
from ml.services.champions import series_of
from ml.services.outputs import at_once, output_labels
from ml.services.reading import read_group, read_scores
from ml.services.writing import write_outputs

LEAST_AGE: Final = 0.25
"""Share of the retraining interval that a champion must be old."""
MAX_TICKS: Final = 5_000
PROFILED_SERIES: Final = 200
"""Series of a group that are profiled, the first of the version."""


def profiles_of(values: Floats, scores: Floats) -> dict[str, Any]:
    """What a version keeps: values of its series, and the scores of all of them together."""
    return {
        name: {"edges": _plain(found.edges), "shares": _plain(found.shares)}
        for name, found in (
            ("values", profile_of(values[:PROFILED_SERIES])),
            ("scores", profile_of(scores.reshape(1, -1))),
        )
    }


def _plain(values: Floats) -> list[list[float | None]]:
    return [[None if np.isnan(one) else float(one) for one in row] for row in values.tolist()]


def _profile(kept: Mapping[str, Any]) -> Profile:
    edges, shares = (np.array(kept[name], np.float64) for name in ("edges", "shares"))
    return Profile(edges, shares)


def look_for_drift(tenant_id: UUID, group_id: UUID, clock: Clock) -> dict[str, float]:
    """PSI by subject, of the last season; empty when it cannot be told."""
    with tenant_scope(tenant_id):
        group = ModelGroup.objects.for_tenant(tenant_id).filter(pk=group_id).first()
        versions = ModelVersion.objects.for_tenant(tenant_id).filter(group_id=group_id, status="champion")
        champion = versions.defer("artefact").first()
        if group is None or champion is None or not champion.profile:
            return {}
        now_ms = clock.now_ms()
        found = _indices(group, champion, now_ms)
        tick_ms = now_ms // 1000 * 1000
        outputs = [
            at_once(output_labels(label_set({}), group, "model_drift", subject=subject), tick_ms, psi)
            for subject, psi in found.items()
        ]
        write_outputs(tenant_id, outputs, now_ms)
        _act(group, champion, found, to_datetime(now_ms))
        return found


def _indices(group: ModelGroup, champion: ModelVersion, now_ms: int) -> dict[str, float]:
    step_ms = group.step_s * 1000
    last_ms = now_ms // step_ms * step_ms
    first_ms = max(last_ms - group.season_s * 1000, from_datetime(champion.trained_until))
    ticks = range(first_ms + step_ms, last_ms + 1, step_ms)[-MAX_TICKS:]
    if not ticks:
        return {}
    scores = read_scores(group, ticks, now_ms=now_ms)
    labels = series_of(champion)[:PROFILED_SERIES]
    recent = {"scores": scores.values.reshape(1, -1)}
    if not champion.columns:
        recent["values"] = read_group(group, ticks, now_ms=now_ms).only(labels).values
    found = {}
    for subject, values in recent.items():
        index = stability_index(_profile(champion.profile[subject]), values)
        if np.isfinite(index).any():
            found[subject] = float(np.nanmedian(index))
    return found


def _act(group: ModelGroup, champion: ModelVersion, found: Mapping[str, float], now: datetime) -> None:
    young = now - champion.created_at < timedelta(seconds=LEAST_AGE * group.retrain_interval_s)
    drifted = {subject: psi for subject, psi in found.items() if psi > PSI_BOUND}
    DriftEvent.objects.for_tenant(group.tenant_id).bulk_create(
        DriftEvent(
            tenant_id=group.tenant_id,
            group=group,
            version=champion,
            subject=subject,
            psi=psi,
            bound=PSI_BOUND,
            training_asked=not young,
            at=now,
        )
        for subject, psi in drifted.items()
    )
    if drifted and not young:
        rows = ModelGroup.objects.for_tenant(group.tenant_id).filter(pk=group.pk, next_train_at__gt=now)
        rows.update(next_train_at=now)
