"""Groups, escalations and the other timers of alerts on their way to people."""

from __future__ import annotations

from collections.abc import Sequence

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import delivery, flushing, timers, waking
from rules.services.senders import senders
from rules.tasks.delivering import deliver_claimed

FLUSHED_AT_ONCE = 50
"""So few due groups are flushed where they are claimed: a second task would cost more."""
Claimed = tuple[str, str, int]
"""group id, tenant id, fencing token"""


@task(capability="notify", soft_time_limit=50, time_limit=55, expires=10)
def wake_groups(*, nudged: bool = False) -> dict[str, int]:
    """Claim groups that are due; flush few, hand out many. Idempotency key: the claim's fencing token."""
    clock = SystemClock()
    if nudged:
        return {"groups": waking.until_idle(waking.WAKE_GROUPS, _due, _flush_or_hand_out, clock)}
    waking.note_wake(waking.GROUPS, now=to_datetime(clock.now_ms()))
    claims = _due()
    _flush_or_hand_out(claims)
    return {"groups": len(claims)}


def _due() -> list[flushing.GroupClaim]:
    return flushing.claim_due_groups(now=to_datetime(SystemClock().now_ms()))


def _flush_or_hand_out(claims: Sequence[flushing.GroupClaim]) -> None:
    if len(claims) <= FLUSHED_AT_ONCE:
        _flush(claims)
        return
    for batch in flushing.batches(claims):
        flush_groups.delay([(str(one.group_id), str(one.tenant_id), one.fencing_token) for one in batch])


@task(capability="notify", soft_time_limit=50, time_limit=55)
def flush_groups(claimed: list[Claimed]) -> dict[str, int]:
    """Flush claimed groups. Idempotency key: (group, fencing token)."""
    return _flush(flushing.claims_from(claimed))


def _flush(claims: Sequence[flushing.GroupClaim]) -> dict[str, int]:
    summary = flushing.flush(claims, SystemClock())
    for batch in delivery.batches(senders().take(summary.messages, _send)):
        deliver_claimed.delay([(str(one.message_id), one.fencing_token) for one in batch])
    return {"groups": summary.groups, "messages": len(summary.messages), "suppressed": summary.suppressed}


def _send(claims: Sequence[delivery.MessageClaim]) -> None:
    delivery.deliver([(one.message_id, one.fencing_token) for one in claims], SystemClock())


@task(capability="notify", soft_time_limit=25, time_limit=30, expires=10)
def wake_timers() -> dict[str, int]:
    """Alerts nobody renewed, heartbeats that are missing, escalations and canaries that are due, routing that
    changed. Idempotency key: each row's own due time, moved on in the transaction that acts.
    """
    return timers.run_due(SystemClock())


@task(capability="notify", soft_time_limit=55, time_limit=60, expires=15)
def watch() -> dict[str, int]:
    """Look after flapping, incidents, limits, receivers, canaries and the dead-man's switch. Idempotency key:
    the alert, receiver or incident concerned.
    """
    return timers.watch(SystemClock())
