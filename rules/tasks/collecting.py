"""Collecting."""

from __future__ import annotations

from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from rules.services import cloudmetrics, collecting


@task(capability="ingest", soft_time_limit=8, time_limit=10, expires=15)
def collect_host() -> dict[str, int]:
    """Store this machine's metrics. Idempotency key: (series, timestamp)."""
    receipt = collecting.collect_host(SystemClock())
    return {"accepted": receipt.accepted, "refused": sum(receipt.refused.values())}


@task(capability="ingest", soft_time_limit=8, time_limit=10, expires=30)
def wake_cloud_metrics() -> dict[str, int]:
    """Claim accounts whose metrics are due and hand them out. Idempotency key: the due time that the claim
    moved.
    """
    claims = cloudmetrics.claim_due(now=to_datetime(SystemClock().now_ms()))
    for account_id, tenant_id in claims:
        pull_cloud_metrics.delay(str(tenant_id), str(account_id))
    return {"accounts": len(claims)}


@task(capability="ingest", soft_time_limit=110, time_limit=120)
def pull_cloud_metrics(tenant_id: str, account_id: str) -> dict[str, int]:
    """Store an account's metrics. Idempotency key: (series, timestamp)."""
    pulled = cloudmetrics.pull_account(UUID(tenant_id), UUID(account_id), SystemClock())
    return {"accepted": pulled.accepted, "refused": sum(pulled.refused.values())}
