"""Whether the platform's promises hold right now, and the dead-man's switch that says so to the outside.

The switch is pinged only while every promise holds: silence, not a message, is the alarm.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db.models import Min, Q

from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope
from rules.models import AggregationGroup, OutboxMessage, Shard, Wake
from rules.services.receivers import poster

log = structlog.get_logger(__name__)

LATE_TICK: Final = timedelta(seconds=60)
LATE_FLUSH: Final = timedelta(seconds=30)
LATE_ATTEMPT: Final = timedelta(minutes=3)
LATE_WAKE: Final = timedelta(seconds=30)
PING_TIMEOUT_S: Final = 5.0


def broken_promises(*, now: datetime) -> list[str]:
    """What does not hold, a line each; none when all is well."""
    with platform_scope():
        return [*_late_ticks(now), *_late_flushes(now), *_late_attempts(now), *_late_wakes(now)]


def _late_ticks(now: datetime) -> Iterator[str]:
    late = Shard.across_tenants.filter(rule_count__gt=0, next_due_at__lt=now - LATE_TICK)
    oldest = late.aggregate(oldest=Min("next_due_at"))["oldest"]
    if oldest is not None:
        yield f"{late.count()} shards are late, the oldest tick is due since {oldest.isoformat()}"


def _late_flushes(now: datetime) -> Iterator[str]:
    late = AggregationGroup.across_tenants.filter(next_flush_at__lt=now - LATE_FLUSH).count()
    if late:
        yield f"{late} groups of alerts are due for more than {LATE_FLUSH.seconds} s"


def _late_attempts(now: datetime) -> Iterator[str]:
    bound = now - LATE_ATTEMPT
    late = OutboxMessage.across_tenants.filter(
        Q(next_attempt_at__lt=bound, leased_until__lt=bound), status="due"
    )
    if late.exists():
        yield f"{late.count()} messages wait for an attempt for more than {LATE_ATTEMPT.seconds} s"


def _late_wakes(now: datetime) -> Iterator[str]:
    for wake in Wake.objects.filter(last_at__lt=now - LATE_WAKE):
        yield f"nobody woke for {wake.kind} since {wake.last_at.isoformat()}"


def ping_outside(*, now: datetime) -> int:
    """Ping `DEADMAN_URL` if every promise holds. 1 when it was pinged."""
    if not settings.DEADMAN_URL:
        return 0
    broken = broken_promises(now=now)
    if broken:
        log.error("deadman.withheld", broken=broken)
        return 0
    try:
        poster().post(settings.DEADMAN_URL, b"", {"User-Agent": "alertsite"}, timeout_s=PING_TIMEOUT_S)
    except PlatformError as error:
        log.warning("deadman.unreachable", error=str(error))
        return 0
    return 1
