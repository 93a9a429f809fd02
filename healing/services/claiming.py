"""Claiming runs that are due. Any number of claimers may run at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from alertsite.tenancy.scope import platform_scope

LEASE: Final = timedelta(seconds=90)
"""Longer than a task may run and a call may take: a call under way is never taken for one that was lost."""
CLAIMED_AT_ONCE: Final = 200
RUNS_PER_BATCH: Final = 5

# The rank comes first in the order: every tenant's most overdue run goes before anyone's second.
_CLAIM: Final = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_at) AS turn
    FROM healing_healingrun
    WHERE next_at <= %(now)s AND leased_until <= %(now)s
), taken AS (
    SELECT run.id FROM healing_healingrun run JOIN due USING (id)
    WHERE run.next_at <= %(now)s AND run.leased_until <= %(now)s
    ORDER BY due.turn, run.next_at
    LIMIT %(limit)s
    FOR UPDATE OF run SKIP LOCKED
)
UPDATE healing_healingrun run
SET leased_until = %(until)s, fencing_token = run.fencing_token + 1
FROM taken WHERE run.id = taken.id
RETURNING run.id, run.tenant_id, run.fencing_token
"""


@dataclass(frozen=True, slots=True)
class RunClaim:
    """A run that is ours until the lease ends or somebody holds a newer token."""

    run_id: UUID
    tenant_id: UUID
    fencing_token: int


def claim_due_runs(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[RunClaim]:
    """Take the runs that are due and free, the most overdue of each tenant first."""
    parameters: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [RunClaim(*row) for row in cursor.fetchall()]


def batches(claims: Sequence[RunClaim]) -> list[list[RunClaim]]:
    """Claims by task."""
    return [list(claims[at : at + RUNS_PER_BATCH]) for at in range(0, len(claims), RUNS_PER_BATCH)]


def claims_from(claimed: Iterable[Sequence[object]]) -> list[RunClaim]:
    """Claims as they travel in a task's message: `[run id, tenant id, fencing token]`."""
    return [RunClaim(UUID(str(run)), UUID(str(tenant)), int(str(token))) for run, tenant, token in claimed]
