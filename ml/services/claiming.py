"""Claiming groups whose tick or training is due. Any number of claimers may run at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from alertsite.tenancy.scope import platform_scope

LEASE: Final = timedelta(seconds=60)
"""Longer than scoring may run, so that a living worker keeps its claim."""
TRAINING_LEASE: Final = timedelta(seconds=600)
CLAIMED_AT_ONCE: Final = 500
TRAINED_AT_ONCE: Final = 20
GROUPS_PER_BATCH: Final = 25

# The rank comes first in the order: every tenant's most overdue group goes before anyone's second.
_CLAIM = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_due_at) AS turn
    FROM ml_modelgroup WHERE enabled AND next_due_at <= %(now)s AND leased_until <= %(now)s
), taken AS (
    SELECT held.id FROM ml_modelgroup held JOIN due USING (id)
    WHERE held.enabled AND held.next_due_at <= %(now)s AND held.leased_until <= %(now)s
    ORDER BY due.turn, held.next_due_at
    LIMIT %(limit)s
    FOR UPDATE OF held SKIP LOCKED
)
UPDATE ml_modelgroup held
SET leased_until = %(until)s, fencing_token = held.fencing_token + 1
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id, held.fencing_token
"""

# Its due time is the lease: a worker that dies leaves the training due again.
_CLAIM_TRAINING = """
WITH taken AS (
    SELECT id FROM ml_modelgroup WHERE enabled AND next_train_at <= %(now)s
    ORDER BY next_train_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE ml_modelgroup held SET next_train_at = %(until)s
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id
"""


# Looked for at most every five minutes, and eight times between two trainings.
_CLAIM_DRIFT = """
WITH taken AS (
    SELECT id FROM ml_modelgroup
    WHERE enabled AND kind = 'anomaly' AND (next_drift_at IS NULL OR next_drift_at <= %(now)s)
    ORDER BY next_drift_at NULLS FIRST
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE ml_modelgroup held
SET next_drift_at = %(now)s + make_interval(secs => greatest(held.retrain_interval_s / 8.0, %(least)s))
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id
"""
LEAST_BETWEEN_DRIFTS_S: Final = 300


@dataclass(frozen=True, slots=True)
class GroupClaim:
    """A group that is ours until the lease ends or somebody holds a newer token."""

    group_id: UUID
    tenant_id: UUID
    fencing_token: int


def claim_due(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[GroupClaim]:
    """Take the groups that are due and free, the most overdue of each tenant first."""
    parameters: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [GroupClaim(*row) for row in cursor.fetchall()]


def claim_training(*, now: datetime, limit: int = TRAINED_AT_ONCE) -> list[tuple[UUID, UUID]]:
    """Take the groups whose training is due: pairs of group and tenant."""
    parameters: dict[str, Any] = {"now": now, "until": now + TRAINING_LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM_TRAINING, parameters)
        return [(group_id, tenant_id) for group_id, tenant_id in cursor.fetchall()]


def claim_drift(*, now: datetime, limit: int = TRAINED_AT_ONCE) -> list[tuple[UUID, UUID]]:
    """Take the groups whose drift is to be looked for: pairs of group and tenant."""
    parameters: dict[str, Any] = {"now": now, "least": LEAST_BETWEEN_DRIFTS_S, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM_DRIFT, parameters)
        return [(group_id, tenant_id) for group_id, tenant_id in cursor.fetchall()]


def batches(claims: list[GroupClaim]) -> list[list[GroupClaim]]:
    """Claims by task."""
    return [claims[start : start + GROUPS_PER_BATCH] for start in range(0, len(claims), GROUPS_PER_BATCH)]
