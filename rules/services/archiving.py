"""Moving closed blocks from the hot store to PostgreSQL, reading them back, forgetting what is too old."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from alertsite.core.clock import Clock, to_datetime
from alertsite.tenancy.models import Quota, Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import LedgerEntry, OutboxMessage, Report, SeriesBlock, Suppression
from rules.series.backends.archive import ClosedBlock, encode_block
from rules.services.stores import hot_store
from rules.services.watching import forget_canaries

LEDGER_RETENTION: Final = timedelta(days=35)
ROWS_A_STATEMENT: Final = 10_000
_IDLE_GROUPS: Final = """
DELETE FROM rules_aggregationgroup held
WHERE next_flush_at IS NULL AND id IN (
    SELECT id FROM rules_aggregationgroup idle
    WHERE next_flush_at IS NULL AND GREATEST(created_at, last_notified_at) < %(before)s
        AND NOT EXISTS (SELECT 1 FROM rules_groupedalert WHERE group_id = idle.id)
        AND NOT EXISTS (SELECT 1 FROM rules_outboxmessage WHERE group_id = idle.id)
        AND NOT EXISTS (SELECT 1 FROM rules_suppression WHERE group_id = idle.id)
        AND NOT EXISTS (SELECT 1 FROM rules_escalation WHERE group_id = idle.id)
    LIMIT %(limit)s
)
"""


@dataclass(frozen=True, slots=True)
class TenantBlocks:
    """The archived blocks of one tenant, as a `BlockSource`."""

    tenant_id: UUID

    def blocks(self, start_ms: int, end_ms: int) -> Iterable[bytes]:
        """Encoded blocks with samples in the span, oldest first."""
        found = SeriesBlock.objects.for_tenant(self.tenant_id).filter(
            window_start_at__lte=to_datetime(end_ms), window_end_at__gt=to_datetime(start_ms)
        )
        payloads = found.order_by("window_start_at", "id").values_list("payload", flat=True)
        return (bytes(payload) for payload in payloads.iterator(chunk_size=50))


def archive_all(clock: Clock) -> dict[str, int]:
    """Archive every tenant's closed windows, forget series that are gone and blocks beyond retention."""
    counts = {"blocks": 0, "bytes_trimmed": 0, "series_forgotten": 0, "blocks_expired": 0}
    with platform_scope():
        tenants = list(Tenant.objects.values_list("pk", flat=True))
    for tenant_id in tenants:
        with tenant_scope(tenant_id):
            counts["blocks"] += archive_tenant(tenant_id, clock)
            counts["bytes_trimmed"] += hot_store(tenant_id).trim_ended_windows(clock.now_ms())
            counts["series_forgotten"] += hot_store(tenant_id).drop_gone_series(clock.now_ms())
            counts["blocks_expired"] += _expire_blocks(tenant_id, to_datetime(clock.now_ms()))
    return counts


def archive_tenant(tenant_id: UUID, clock: Clock) -> int:
    """Store the closed windows that are not stored yet. Returns the number of blocks.

    A window is taken as stored when it has any block: all its blocks are written in one transaction, under a
    lock that keeps a second archiver out.
    """
    store = hot_store(tenant_id)
    written = 0
    for window_ms in store.closed_windows(clock.now_ms()):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"archive:{tenant_id}"])
            stored = SeriesBlock.objects.for_tenant(tenant_id)
            if not stored.filter(window_start_at=to_datetime(window_ms)).exists():
                rows = [_row(tenant_id, block, clock) for block in store.export_window(window_ms)]
                SeriesBlock.objects.for_tenant(tenant_id).bulk_create(rows)
                written += len(rows)
    return written


def _row(tenant_id: UUID, block: ClosedBlock, clock: Clock) -> SeriesBlock:
    return SeriesBlock(
        tenant_id=tenant_id,
        window_start_at=to_datetime(block.start_ms),
        window_end_at=to_datetime(block.end_ms),
        series_count=len(block.labels),
        sample_count=len(block.columns.values),
        payload=encode_block(block),
        archived_at=to_datetime(clock.now_ms()),
    )


def _expire_blocks(tenant_id: UUID, now: datetime) -> int:
    keep = timedelta(days=Quota.objects.get(pk=tenant_id).archive_retention_days)
    old = SeriesBlock.objects.for_tenant(tenant_id).filter(window_end_at__lt=now - keep)
    return old.delete()[0]


def expire_history(clock: Clock) -> dict[str, int]:
    """Delete ledger rows, ended messages, reasons for silence and groups that nothing joined any more, all
    older than `LEDGER_RETENTION`, and reports older than their tenant's quota says, some at a time.
    """
    before = to_datetime(clock.now_ms()) - LEDGER_RETENTION
    with platform_scope():
        old_ticks = LedgerEntry.across_tenants.filter(due_at__lt=before)
        ended = OutboxMessage.across_tenants.filter(
            created_at__lt=before, status__in=["delivered", "cancelled"]
        )
        silent = Suppression.across_tenants.filter(at__lt=before)
        return {
            "ledger": LedgerEntry.across_tenants.filter(pk__in=old_ticks[:ROWS_A_STATEMENT]).delete()[0],
            "canaries": forget_canaries(now=to_datetime(clock.now_ms())),
            "messages": OutboxMessage.across_tenants.filter(pk__in=ended[:ROWS_A_STATEMENT]).delete()[0],
            "suppressions": Suppression.across_tenants.filter(pk__in=silent[:ROWS_A_STATEMENT]).delete()[0],
            "groups": _expire_groups(before),
            "reports": _expire_reports(clock),
        }


def _expire_groups(before: datetime) -> int:
    """In one statement, whose conditions are looked at again if an alert joins the group meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_IDLE_GROUPS, {"before": before, "limit": ROWS_A_STATEMENT})
        return int(cursor.rowcount)


def _expire_reports(clock: Clock) -> int:
    now, gone = to_datetime(clock.now_ms()), 0
    for tenant_id, days in Quota.objects.values_list("tenant_id", "report_retention_days"):
        old = Report.objects.for_tenant(tenant_id).filter(created_at__lt=now - timedelta(days=days))
        gone += old.delete()[0]
    return gone
