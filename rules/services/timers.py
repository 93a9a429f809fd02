"""What becomes due by time alone, apart from ticks, flushes and messages. Each part stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog
from django.db import DatabaseError

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from rules.services import (
    auditing,
    correlating,
    damping,
    escalation_steps,
    heartbeats,
    intake,
    rerouting,
    selfalerts,
    watching,
)
from rules.services.nudging import nudge_after_commit

log = structlog.get_logger(__name__)

PARTS: Final[Mapping[str, Callable[..., int]]] = {
    "expired": intake.expire,
    "rerouted": rerouting.reroute_changed,
    "missing": heartbeats.begin_missing,
    "escalated": escalation_steps.run_due,
}


WATCHES: Final[Mapping[str, Callable[..., int]]] = {
    "calmed": damping.calm_down,
    "correlated": correlating.correlate_new,
    "incidents_ended": correlating.end_incidents,
    "limits": watching.watch_limits,
    "receivers": watching.watch_receivers,
    "canaries_sent": watching.send_canaries,
    "canaries_missing": watching.watch_canaries,
    "own_alerts_ended": selfalerts.publish,
    "pinged": auditing.ping_outside,
}
"""What may be some seconds later than `PARTS`."""


def run_due(clock: Clock) -> dict[str, int]:
    """Do what is due now. How much of each."""
    return _run_all(PARTS, clock)


def watch(clock: Clock) -> dict[str, int]:
    """Look after alerts and receivers. How much of each."""
    return _run_all(WATCHES, clock)


def _run_all(parts: Mapping[str, Callable[..., int]], clock: Clock) -> dict[str, int]:
    now = to_datetime(clock.now_ms())
    done = {name: _run(name, part, now) for name, part in parts.items()}
    if any(done.values()):
        nudge_after_commit()
    return done


def _run(name: str, part: Callable[..., int], now: datetime) -> int:
    try:
        return part(now=now)
    except (PlatformError, DatabaseError) as error:
        log.warning("timer.failed", part=name, error=str(error))
        return 0
