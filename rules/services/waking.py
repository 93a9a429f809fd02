"""Claiming shards whose ticks are due. Any number of claimers may run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from celery import current_app
from django.db import connection, transaction
from redis import RedisError

from alertsite.core.clock import Clock
from alertsite.tenancy.scope import platform_scope
from rules.models import Wake
from rules.services.stores import redis_client

log = structlog.get_logger(__name__)

T = TypeVar("T")

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
WAKE_GROUPS: Final = "rules.tasks.notifying.wake_groups"
WAKE_DELIVERIES: Final = "rules.tasks.delivering.wake_deliveries"
WAKE_HEALING: Final = "healing.tasks.healing.wake_healing"
"""Tasks that do what is due, known here by name: services do not import tasks."""
NUDGE_WAITS_MS: Final = 1_000
"""After so long a nudge that has not begun counts as lost. Beat wakes every second anyway."""
STAYS_MS: Final = 5_000
"""How long a nudged task goes on while there is work; the next nudge sends another."""
_WAITING: Final = "alertsite:waking:{}"
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


def nudge_after_commit() -> None:
    """Have due groups flushed once this transaction is stored, not at the next second.

    A broker that cannot be reached costs that second and nothing else.
    """
    transaction.on_commit(_nudge, robust=True)


def nudge_deliveries_after_commit() -> None:
    """As `nudge_after_commit`, for messages that are owed."""
    transaction.on_commit(_nudge_deliveries, robust=True)


def nudge_healing_after_commit() -> None:
    """As `nudge_after_commit`, for playbooks that alerts start."""
    transaction.on_commit(_nudge_healing, robust=True)


def _nudge() -> None:
    _send_unless_waiting(WAKE_GROUPS)


def _nudge_deliveries() -> None:
    _send_unless_waiting(WAKE_DELIVERIES)


def _nudge_healing() -> None:
    _send_unless_waiting(WAKE_HEALING, queue="heal")


def _send_unless_waiting(task: str, *, queue: str = "notify") -> None:
    """Send a waking task, unless one is on its way that has not begun: it will find this work as well."""
    if _mark(task):
        current_app.send_task(task, kwargs={"nudged": True}, queue=queue, expires=10, retry=False)


def begin_waking(task: str, kind: str, *, nudged: bool, now: datetime) -> None:
    """What a waking task says before it looks for work: woken by time, that it was; nudged, that what is
    stored from now on needs another.
    """
    if nudged:
        end_nudge(task)
    else:
        note_wake(kind, now=now)


def end_nudge(task: str) -> None:
    """Say that what is stored from now on needs another task."""
    try:
        redis_client().delete(_WAITING.format(task))
    except RedisError:
        log.warning("waking.redis_lost", task=task)  # the mark ends by itself


def until_idle(
    task: str, look: Callable[[], Sequence[T]], act: Callable[[Sequence[T]], object], clock: Clock
) -> int:
    """What a nudged task does where much may come at once: look and act until there is nothing. How much.

    Nudges that come while it acts send no task, since it looks again; before it does, it lets go of their
    mark, so that what is stored after its last look has a task of its own.
    """
    done, ends_ms = 0, clock.now_ms() + STAYS_MS
    found = look()
    while True:
        act(found)
        done += len(found)
        end_nudge(task)
        found = look()
        if not found:
            return done
        if clock.now_ms() >= ends_ms:
            act(found)
            return done + len(found)
        _mark(task)


def _mark(task: str) -> bool:
    """Say that a nudged task is on its way or at work. Whether none was."""
    return bool(redis_client().set(_WAITING.format(task), b"1", nx=True, px=NUDGE_WAITS_MS))


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
