"""Scoring claimed groups: every due tick gets its scores, or what is foretold, as series, or stays due.

Scores go to the hot store before the group moves on: should the commit fail, the ticks are scored again
and write the same samples at the same times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import redis
import structlog
from django.db import DatabaseError

from alertsite.core.clock import Clock, from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Quota
from alertsite.tenancy.scope import tenant_scope
from ml.models import ModelGroup
from ml.services.claiming import GroupClaim
from ml.services.foretelling import foretell
from ml.services.judging import judge
from ml.services.noting import note_anomalies
from ml.services.outputs import Output, Told, output_labels
from ml.services.shadowing import shadow_outputs
from ml.services.telling_incidents import tell_incidents
from ml.services.writing import write_outputs
from rules.evaluation.ticks import Timetable, due_ticks

log = structlog.get_logger(__name__)

OUTPUTS: Final = {
    "anomaly_score": "score",
    "anomaly_expected": "expected",
    "anomaly_lower": "lower",
    "anomaly_upper": "upper",
}
"""Names of the series that are written, and which part of the scores each holds."""
MAX_REASON: Final = 500


@dataclass(slots=True)
class ScoringSummary:
    """What a pass over a batch of groups came to."""

    groups: int = 0
    ticks: int = 0
    samples: int = 0
    failed: int = 0


def score_claims(claims: Sequence[GroupClaim], clock: Clock) -> ScoringSummary:
    """Score every due tick of every claimed group. A group that fails stops no other."""
    summary = ScoringSummary()
    for claim in claims:
        try:
            with tenant_scope(claim.tenant_id):
                _score(claim, clock, summary)
        except (PlatformError, DatabaseError, redis.RedisError) as error:
            summary.failed += 1
            log.warning("model_group.failed", group=str(claim.group_id), error=str(error))
    return summary


def _score(claim: GroupClaim, clock: Clock, summary: ScoringSummary) -> None:
    rows = ModelGroup.objects.for_tenant(claim.tenant_id)
    held = rows.filter(pk=claim.group_id, fencing_token=claim.fencing_token)
    group: ModelGroup | None = held.first()
    if group is None:
        return  # somebody holds a newer claim, or it is gone
    now_ms = clock.now_ms()
    due = due_ticks(
        Timetable(group.step_s * 1000, 0),
        next_due_ms=from_datetime(group.next_due_at),
        now_ms=now_ms,
        max_catch_up=Quota.objects.get(pk=claim.tenant_id).max_catch_up_ticks,
    )
    values: dict[str, object] = {"next_due_at": to_datetime(due.next_due_ms)}
    if due.evaluate:
        try:
            told = TELLERS[group.kind](group, due.evaluate, now_ms=now_ms)
        except PlatformError as error:
            values |= {"state": ModelGroup.State.FAILED, "state_reason": str(error)[:MAX_REASON]}
            summary.failed += 1
        else:
            values |= {"state": told.state, "state_reason": told.reason[:MAX_REASON]}
            summary.samples += write_outputs(claim.tenant_id, told.outputs, now_ms)
    held.update(**values, leased_until=to_datetime(now_ms))
    summary.groups += 1
    summary.ticks += len(due.evaluate)


def tell_anomalies(group: ModelGroup, ticks: range, *, now_ms: int) -> Told:
    """Scores and bands of every series of the group, and those of a challenger beside them."""
    judged = judge(group, ticks, now_ms=now_ms)
    note_anomalies(group, judged)
    times = np.array(judged.times_ms, dtype=np.int64)
    outputs = [
        Output(output_labels(labels, group, name), times, np.asarray(row, np.float64))
        for name, part in OUTPUTS.items()
        for labels, row in zip(judged.labels, getattr(judged.scores, part), strict=True)
    ]
    outputs += shadow_outputs(group, judged, now_ms=now_ms)
    return Told(outputs, judged.state, judged.reason)


TELLERS: Final[Mapping[str, Callable[..., Told]]] = {
    ModelGroup.Kind.ANOMALY: tell_anomalies,
    ModelGroup.Kind.FORECAST: foretell,
    ModelGroup.Kind.INCIDENT: tell_incidents,
}
