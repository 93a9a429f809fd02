"""Delivering what the outbox owes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from celery.signals import worker_shutdown

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import delivery, nudging, waking
from rules.services.senders import Senders


@task(capability="notify", soft_time_limit=8, time_limit=10, expires=10)
def wake_deliveries(*, nudged: bool = False) -> dict[str, int]:
    """Claim due messages and have them sent. Idempotency key: the claim's fencing token."""
    now = to_datetime(SystemClock().now_ms())
    nudging.begin_waking(nudging.WAKE_DELIVERIES, waking.MESSAGES, nudged=nudged, now=now)
    claims = delivery.claim_due_messages(now=now)
    return {"messages": len(claims), "left": send(claims)}


def send(claims: Sequence[delivery.MessageClaim]) -> int:
    """Have claimed messages sent by threads of this process. How many are left, for want of room."""
    left = _senders().take(claims)
    delivery.leave(left, now=to_datetime(SystemClock().now_ms()))
    return len(left)


@cache
def _senders() -> Senders:
    """Those of this process."""
    return Senders(_deliver, _fetch)


def _deliver(claims: Sequence[delivery.MessageClaim]) -> None:
    delivery.deliver([(one.message_id, one.fencing_token) for one in claims], SystemClock())


def _fetch(receiver_id: UUID, limit: int) -> list[delivery.MessageClaim]:
    return delivery.claim_messages_of(receiver_id, now=to_datetime(SystemClock().now_ms()), limit=limit)


@worker_shutdown.connect
def stop_sending(**_: Any) -> None:
    """Leave what waits to other workers, at once rather than when its claims end."""
    if _senders.cache_info().currsize:
        delivery.leave(_senders().stop(), now=to_datetime(SystemClock().now_ms()))
