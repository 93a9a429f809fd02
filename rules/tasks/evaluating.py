"""Waking and evaluating."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from celery import Task, current_app

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import evaluation, nudging, sizes, waking
from rules.tasks.delivering import wake_deliveries
from rules.tasks.notifying import wake_groups, wake_timers

Claimed = tuple[str, str, int, int]
"""shard id, tenant id, fencing token, rule count"""


@task(capability="evaluate", soft_time_limit=8, time_limit=10, expires=10)
def wake_shards() -> dict[str, int]:
    """Claim due shards and hand them out in batches. Idempotency key: the claim's fencing token."""
    now = to_datetime(SystemClock().now_ms())
    waking.note_wake(waking.SHARDS, now=now)
    claims = waking.claim_due_shards(now=now)
    tasks = 0
    for batch in waking.batches(claims, sizes.size_of(sizes.SHARDS_A_TASK)):
        evaluate_shards.delay(
            [(str(one.shard_id), str(one.tenant_id), one.fencing_token, one.rule_count) for one in batch]
        )
        tasks += 1
    return {"shards": len(claims), "tasks": tasks}


@task(capability="evaluate", soft_time_limit=8, time_limit=10, expires=5)
def wake_if_silent() -> dict[str, bool]:
    """Wake in beat's place when it has not been heard of. Idempotency key: the claims' fencing tokens."""
    now = to_datetime(SystemClock().now_ms())
    tasks: dict[str, tuple[Task[..., Any], ...]] = {
        waking.SHARDS: (wake_shards,),
        waking.MESSAGES: (wake_deliveries,),
        waking.GROUPS: (wake_groups, wake_timers),
    }
    silent = {kind: waking.wake_is_overdue(kind, now=now) for kind in tasks}
    for kind in filter(silent.__getitem__, tasks):
        for one in tasks[kind]:
            one.delay()
    silent[waking.HEALING] = waking.wake_is_overdue(waking.HEALING, now=now)
    if silent[waking.HEALING]:
        current_app.send_task(nudging.WAKE_HEALING, queue="heal", expires=10)
    return silent


@task(capability="evaluate", soft_time_limit=20, time_limit=24)
def evaluate_shards(claimed: list[Claimed]) -> dict[str, int]:
    """Evaluate the due ticks of claimed shards. Idempotency key: (shard, fencing token, tick)."""
    claims = [
        waking.Claim(UUID(shard), UUID(tenant), token, rules) for shard, tenant, token, rules in claimed
    ]
    summary = evaluation.evaluate_claims(claims, SystemClock())
    if summary.groups:
        wake_groups.delay()
    return asdict(summary)
