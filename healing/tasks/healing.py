"""Waking, starting and moving runs on."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from healing.services import advancing, claiming, expiring, starting
from healing.services.means import Means
from rules.services import nudging, waking

Claimed = tuple[str, str, int]
"""run id, tenant id, fencing token"""


@task(capability="heal", soft_time_limit=25, time_limit=30, expires=10)
def wake_healing(*, nudged: bool = False) -> dict[str, int]:
    """Start what alerts and predictions start, hand out runs that are due.

    Idempotency key: the cue, and the claim's fencing token.
    """
    now = to_datetime(SystemClock().now_ms())
    nudging.begin_waking(nudging.WAKE_HEALING, waking.HEALING, nudged=nudged, now=now)
    started = starting.start_from_cues(now=now) + starting.start_by_predictions(now=now)
    claims = claiming.claim_due_runs(now=now)
    batches = claiming.batches(claims)
    for batch in batches:
        advance_runs.delay([(str(one.run_id), str(one.tenant_id), one.fencing_token) for one in batch])
    return {"started": started, "runs": len(claims), "tasks": len(batches)}


@task(capability="heal", soft_time_limit=80, time_limit=85)
def advance_runs(claimed: list[Claimed]) -> dict[str, int]:
    """Move claimed runs on. Idempotency key: (run, fencing token), and each step's own for its provider."""
    means = Means(SystemClock())
    return asdict(advancing.advance_claims(claiming.claims_from(claimed), means))


@task(capability="heal", soft_time_limit=8, time_limit=10)
def start_scheduled(playbook_id: str) -> dict[str, bool]:
    """Start a playbook by the clock. Idempotency key: (playbook, minute)."""
    run = starting.start_scheduled(UUID(playbook_id), now=to_datetime(SystemClock().now_ms()))
    return {"started": run is not None}


@task(capability="upkeep", soft_time_limit=280, time_limit=300, expires=3600)
def expire_runs() -> dict[str, int]:
    """Delete runs beyond retention. Idempotency key: none needed, it deletes by age."""
    return {"runs": expiring.expire_runs(now=to_datetime(SystemClock().now_ms()))}
