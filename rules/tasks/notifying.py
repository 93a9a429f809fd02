"""Groups, escalations and the other timers of alerts on their way to people."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import flushing, nudging, timers, waking
from rules.tasks.delivering import send

GROUPS_AT_ONCE: Final = 96
"""Groups that are claimed together."""
BITES: Final = flushing.Bites(each=48, behind=4, alone=16)
PATIENCE_S: Final = 1.0
"""How long a nudged task waits for another of its process to end."""

_looking = Lock()


@task(capability="notify", soft_time_limit=50, time_limit=55, expires=10)
def wake_groups(*, nudged: bool = False) -> dict[str, int]:
    """Claim groups that are due and flush them. Idempotency key: the claim's fencing token.

    Who was nudged stays while there is work, one such task a process: another would only compete with it for
    the interpreter. While more is due than one claim takes, other processes are asked to help.
    """
    if not nudged:
        waking.note_wake(waking.GROUPS, now=to_datetime(SystemClock().now_ms()))
        return {"groups": _flush_due()}
    if not _looking.acquire(timeout=PATIENCE_S):
        return {"groups": 0}
    try:
        return {"groups": nudging.until_idle(nudging.WAKE_GROUPS, _flush_due, SystemClock())}
    finally:
        _looking.release()


def _flush_due() -> int:
    claims = _due()
    if len(claims) >= BITES.behind:
        nudging.call_help(nudging.WAKE_GROUPS)
    return _flush(claims)


def _due() -> list[flushing.GroupClaim]:
    now = to_datetime(SystemClock().now_ms())
    return flushing.claim_due_groups(now=now, limit=GROUPS_AT_ONCE, bites=BITES)


def _flush(claims: Sequence[flushing.GroupClaim]) -> int:
    """Flush each tenant's groups and have its messages sent, before the next tenant's."""
    for own in flushing.by_tenant(claims):
        send(flushing.flush(own, SystemClock()).messages)
    return len(claims)


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
