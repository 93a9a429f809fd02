"""Collecting."""

from __future__ import annotations

from alertsite.core.clock import SystemClock
from alertsite.web.task import task
from rules.services import collecting


@task(capability="ingest", soft_time_limit=8, time_limit=10, expires=15)
def collect_host() -> dict[str, int]:
    """Store this machine's metrics. Idempotency key: (series, timestamp)."""
    receipt = collecting.collect_host(SystemClock())
    return {"accepted": receipt.accepted, "refused": sum(receipt.refused.values())}
