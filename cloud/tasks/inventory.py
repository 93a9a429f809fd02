"""Waking and syncing accounts."""

from __future__ import annotations

from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from cloud.services import inventory


@task(capability="upkeep", soft_time_limit=8, time_limit=10, expires=30)
def wake_accounts() -> dict[str, int]:
    """Claim accounts that are due and hand them out. Idempotency key: the due time that the claim moved."""
    claims = inventory.claim_due(now=to_datetime(SystemClock().now_ms()))
    for account_id, tenant_id in claims:
        sync_account.delay(str(tenant_id), str(account_id))
    return {"accounts": len(claims)}


@task(capability="upkeep", soft_time_limit=280, time_limit=300)
def sync_account(tenant_id: str, account_id: str) -> dict[str, int]:
    """Write down what an account holds. Idempotency key: none needed, the same sight writes nothing."""
    found = inventory.sync_account(UUID(tenant_id), UUID(account_id), SystemClock())
    return {"seen": found.seen, "written": found.written, "vanished": found.vanished}
