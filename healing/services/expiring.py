"""Forgetting runs that ended long ago, with their steps, calls and approvals; the audit chain keeps all."""

from __future__ import annotations

from datetime import datetime

from alertsite.tenancy.scope import platform_scope
from healing.models import HealingRun
from rules.services.archiving import LEDGER_RETENTION, ROWS_A_STATEMENT


def expire_runs(*, now: datetime) -> int:
    """Delete runs that ended before the ledger's retention, some at a time. Runs that are gone."""
    with platform_scope():
        old = HealingRun.across_tenants.filter(finished_at__lt=now - LEDGER_RETENTION)
        gone = HealingRun.across_tenants.filter(
            pk__in=old.order_by("finished_at").values("pk")[:ROWS_A_STATEMENT]
        )
        return int(gone.delete()[1].get("healing.HealingRun", 0))
