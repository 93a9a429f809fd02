"""Claiming shards whose ticks are due. Any number of claimers may run at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from alertsite.tenancy.scope import platform_scope
from rules.models import Wake

LEASE: Final = timedelta(seconds=25)
"""How long a claimed shard is left alone. Longer than a task may run, so that a living worker keeps its claim."""
RULES_PER_BATCH: Final = 5_000
SHARDS_PER_BATCH: Final = 50

# The rank comes first in the order: every tenant's most overdue shard goes before anyone's second.
_CLAIM = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_due_at) AS turn
    FROM rules_shard
    WHERE next_due_at <= %(now)s AND leased_until <= %(now)s AND rule_count > 0
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


@dataclass(frozen=True, slots=True)
class Claim:
    """A shard that is ours until the lease ends or somebody holds a newer token."""

    shard_id: UUID
    tenant_id: UUID
    fencing_token: int
    rule_count: int


def claim_due_shards(*, now: datetime, limit: int = 1000) -> list[Claim]:
    """Take the shards that are due and free, the most overdue of each tenant first."""
    parameters = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        claims = [Claim(*row) for row in cursor.fetchall()]
        Wake.objects.update_or_create(kind="shards", defaults={"last_at": now})
    return claims


def batches(claims: Iterable[Claim]) -> Iterator[list[Claim]]:
    """Claims by task: small shards share one, a large one has its own."""
    batch: list[Claim] = []
    rules = 0
    for claim in claims:
        if batch and (rules + claim.rule_count > RULES_PER_BATCH or len(batch) >= SHARDS_PER_BATCH):
            yield batch
            batch, rules = [], 0
        batch.append(claim)
        rules += claim.rule_count
    if batch:
        yield batch


def wake_is_overdue(kind: str, *, now: datetime, after: timedelta) -> bool:
    """Whether nobody has woken for that long: beat is dead, or was never started."""
    last = Wake.objects.filter(kind=kind).first()
    return last is None or now - last.last_at > after
