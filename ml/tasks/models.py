"""Waking, scoring and learning."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from ml.services import claiming, drifting, scoring, training

Claimed = tuple[str, str, int]
"""group id, tenant id, fencing token"""


@task(capability="infer", soft_time_limit=8, time_limit=10, expires=10)
def wake_models() -> dict[str, int]:
    """Claim groups that are due and hand them out. Idempotency key: the claim's fencing token."""
    now = to_datetime(SystemClock().now_ms())
    claims = claiming.claim_due(now=now)
    for batch in claiming.batches(claims):
        score_groups.delay([(str(one.group_id), str(one.tenant_id), one.fencing_token) for one in batch])
    trainings = claiming.claim_training(now=now)
    for group_id, tenant_id in trainings:
        train_group.delay(str(tenant_id), str(group_id))
    drifts = claiming.claim_drift(now=now)
    for group_id, tenant_id in drifts:
        look_for_drift.delay(str(tenant_id), str(group_id))
    return {"groups": len(claims), "trainings": len(trainings), "drifts": len(drifts)}


@task(capability="infer", soft_time_limit=50, time_limit=55)
def score_groups(claimed: list[Claimed]) -> dict[str, int]:
    """Score the due ticks of claimed groups. Idempotency key: (group, fencing token, tick)."""
    claims = [claiming.GroupClaim(UUID(group), UUID(tenant), token) for group, tenant, token in claimed]
    return asdict(scoring.score_claims(claims, SystemClock()))


@task(capability="train", soft_time_limit=550, time_limit=580)
def train_group(tenant_id: str, group_id: str) -> dict[str, int]:
    """Learn a new version of a group's model. Idempotency key: none needed, a second version does no harm:
    the newest scores.
    """
    version = training.train_group(UUID(tenant_id), UUID(group_id), SystemClock())
    return {"version": version.number if version else 0}


@task(capability="infer", soft_time_limit=50, time_limit=55)
def look_for_drift(tenant_id: str, group_id: str) -> dict[str, float]:
    """Compare recent values and scores with what was learned. Idempotency key: none needed, a second look
    writes what it sees, and trains nothing that is not due.
    """
    return drifting.look_for_drift(UUID(tenant_id), UUID(group_id), SystemClock())
