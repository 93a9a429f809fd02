"""Claiming shards whose ticks are due. Any number of claimers may run at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from alertsite.tenancy.scope import platform_scope
from rules.models import Wake

LEASE: Final = timedelta(seconds=25)
"""How long a claimed shard is left alone. Longer than a task may run, so that a living worker keeps its
claim.
"""
SILENCE: Final = timedelta(seconds=5)
"""Beat wakes every second: after so long without it, workers wake themselves."""
SHARDS: Final = "shards"
MESSAGES: Final = "messages"
GROUPS: Final = "groups"
HEALING: Final = "healing"
"""Kinds of waking."""
RULES_PER_BATCH: Final = 5_000

# The rank comes first in the order: every tenant's most overdue shard goes before anyone's second.
_CLAIM = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_due_at) AS turn
    FROM rules_shard
    WHERE next_due_at <= %(now)s AND leased_until <= %(now)s AND rule_count > 0
        AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
), taken AS (
    SELECT shard.id FROM rules_shard shard JOIN due USING (id)
    WHERE shard.next_due_at <= %(now)s AND shard.leased_until <= %(now)s
    ORDER BY due.turn, shard.next_due_at
    LIMIT %(limit)s
    FOR UPDATE OF shard SKIP LOCKED
)
UPDATE rules_shard shard
SET leased_until = %(until)s, fencing_token = shard.fencing_token + 1
FROM taken WHERE shard.id = taken.id
RETURNING shard.id, shard.tenant_id, shard.fencing_token, shard.rule_count
"""

_CLAIM_TENANT = """
WITH taken AS (
    SELECT id FROM rules_shard
    WHERE tenant_id = %(tenant)s AND leased_until <= %(now)s AND rule_count > 0
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE rules_shard shard
SET leased_until = %(until)s, fencing_token = shard.fencing_token + 1
FROM taken WHERE shard.id = taken.id
RETURNING shard.id, shard.tenant_id, shard.fencing_token, shard.rule_count
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A shard that is ours until the lease ends or somebody holds a newer token."""

    shard_id: UUID
    tenant_id: UUID
    fencing_token: int
    rule_count: int


def claim_due_shards(*, now: datetime, limit: int = 1000, tenant_id: UUID | None = None) -> list[Claim]:
    """Take the shards that are due and free, the most overdue of each tenant first; or one tenant's."""
    parameters: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit, "tenant": tenant_id}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [Claim(*row) for row in cursor.fetchall()]


def claim_tenant(tenant_id: UUID, *, now: datetime) -> list[Claim]:
    """Take every free shard of a tenant, due or not."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM_TENANT, {"now": now, "until": now + LEASE, "tenant": tenant_id})
        return [Claim(*row) for row in cursor.fetchall()]


def note_wake(kind: str, *, now: datetime) -> None:
    """Record that somebody woke, so that no worker needs to take over."""
    Wake.objects.bulk_create(
        [Wake(kind=kind, last_at=now)],
        update_conflicts=True,
        unique_fields=["kind"],
        update_fields=["last_at"],
    )


def batches(claims: Iterable[Claim], shards: int) -> Iterator[list[Claim]]:
    """Claims by task: small shards share one, at most so many; a large one has its own."""
    batch: list[Claim] = []
    rules = 0
    for claim in claims:
        if batch and (rules + claim.rule_count > RULES_PER_BATCH or len(batch) >= shards):
            yield batch
            batch, rules = [], 0
        batch.append(claim)
        rules += claim.rule_count
    if batch:
        yield batch


def wake_is_overdue(kind: str, *, now: datetime) -> bool:
    """Whether nobody has woken for `SILENCE`: beat is dead, or was never started."""
    last = Wake.objects.filter(kind=kind).first()
    return last is None or now - last.last_at > SILENCE
