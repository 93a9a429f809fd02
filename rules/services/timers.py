"""What becomes due by time alone, apart from ticks, flushes and messages. Each part stops no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog
from django.db import OperationalError

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from rules.services import escalation_steps, heartbeats, intake, rerouting
from rules.services.waking import nudge_after_commit

log = structlog.get_logger(__name__)

PARTS: Final[Mapping[str, Callable[..., int]]] = {
    "expired": intake.expire,
    "rerouted": rerouting.reroute_changed,
    "missing": heartbeats.begin_missing,
    "escalated": escalation_steps.run_due,
}


def run_due(clock: Clock) -> dict[str, int]:
    """Do what is due now. How much of each."""
    now = to_datetime(clock.now_ms())
    done = {name: _run(name, part, now) for name, part in PARTS.items()}
    if any(done.values()):
        nudge_after_commit()
    return done


def _run(name: str, part: Callable[..., int], now: datetime) -> int:
    try:
        return part(now=now)
    except (PlatformError, OperationalError) as error:
        log.warning("timer.failed", part=name, error=str(error))
        return 0
