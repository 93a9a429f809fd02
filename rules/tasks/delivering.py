"""Delivering what the outbox owes."""

from __future__ import annotations

from dataclasses import asdict

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import delivery, waking

Claimed = tuple[str, int]
"""message id, fencing token"""


@task(capability="notify", soft_time_limit=8, time_limit=10, expires=10)
def wake_deliveries(*, nudged: bool = False) -> dict[str, int]:
    """Claim due messages and hand them out by receiver. Idempotency key: the claim's fencing token."""
    now = to_datetime(SystemClock().now_ms())
    waking.begin_waking(waking.WAKE_DELIVERIES, waking.MESSAGES, nudged=nudged, now=now)
    claims = delivery.claim_due_messages(now=now)
    batches = delivery.batches(claims)
    for batch in batches:
        deliver_claimed.delay([(str(claim.message_id), claim.fencing_token) for claim in batch])
    return {"messages": len(claims), "tasks": len(batches)}


@task(capability="notify", soft_time_limit=110, time_limit=120)
def deliver_claimed(claimed: list[Claimed]) -> dict[str, int]:
    """Send claimed messages of one receiver. Idempotency key: the message's own."""
    return asdict(delivery.deliver(delivery.claims_from(claimed), SystemClock()))
