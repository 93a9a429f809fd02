"""Forgetting runs that ended long ago, with their steps, calls and approvals; the audit chain keeps all, and
what is counted of them stays counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from alertsite.tenancy.scope import platform_scope
from healing.models import HealingRun
from rules.services.archiving import LEDGER_RETENTION, ROWS_A_STATEMENT

# What is deleted is added to the tally in the same transaction: whoever counts both finds each step once.
_TALLY: Final = """
INSERT INTO healing_healingtally (tenant_id, playbook_name, word, outcome, total)
SELECT run.tenant_id, run.playbook_name, step.word, step.state, count(*)
FROM healing_healingstep step JOIN healing_healingrun run ON run.id = step.run_id
WHERE run.id = ANY (%s) AND NOT run.dry AND step.call_key > '' AND step.finished_at IS NOT NULL
GROUP BY 1, 2, 3, 4
ON CONFLICT (tenant_id, playbook_name, word, outcome)
DO UPDATE SET total = healing_healingtally.total + excluded.total
"""


def expire_runs(*, now: datetime) -> int:
    """Delete runs that ended before the ledger's retention, some at a time. Runs that are gone."""
    with platform_scope(), transaction.atomic():
        old = HealingRun.across_tenants.filter(finished_at__lt=now - LEDGER_RETENTION)
        held = old.order_by("finished_at").select_for_update(skip_locked=True)
        gone: list[UUID] = list(held.values_list("pk", flat=True)[:ROWS_A_STATEMENT])
        with connection.cursor() as cursor:
            cursor.execute(_TALLY, [gone])
        HealingRun.across_tenants.filter(pk__in=gone).delete()
        return len(gone)
