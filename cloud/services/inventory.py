"""What accounts hold: synced page by page, written only where something changed.

An account is due by its column `next_sync_at`; whoever claims it moves the column on, so that a worker that
dies leaves it due again. After a failure it is due later and later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.db import connection

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from cloud.adapters.errors import Throttled
from cloud.adapters.protocol import Resource
from cloud.models import CloudAccount, CloudResource
from cloud.services.accounts import LONGEST_FAULT, opened

EVERY: Final = timedelta(minutes=5)
LEASE: Final = timedelta(minutes=10)
"""Longer than a sync may run."""
LONGEST_WAIT: Final = timedelta(hours=1)
CLAIMED_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 500

Key = tuple[str, str, str]
"""kind, place, uid"""

_CLAIM = """
WITH taken AS (
    SELECT id FROM cloud_cloudaccount WHERE enabled AND next_sync_at <= %(now)s
    ORDER BY next_sync_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE cloud_cloudaccount held SET next_sync_at = %(until)s
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id
"""

_CHANGING = (
    "name",
    "state",
    "healthy",
    "group",
    "labels",
    "size",
    "cost_per_hour",
    "digest",
    "changed_at",
    "vanished_at",
)


@dataclass(slots=True)
class Synced:
    """What a sync found. `fault` says why it did not come to its end."""

    seen: int = 0
    written: int = 0
    vanished: int = 0
    fault: str = ""


def claim_due(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[tuple[UUID, UUID]]:
    """Take the accounts that are due: pairs of account and tenant."""
    values: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return [(account_id, tenant_id) for account_id, tenant_id in cursor.fetchall()]


def sync_account(tenant_id: UUID, account_id: UUID, clock: Clock) -> Synced:
    """See what an account holds and write down what is new or changed, and what is gone."""
    with tenant_scope(tenant_id):
        account = CloudAccount.objects.for_tenant(tenant_id).filter(pk=account_id, enabled=True).first()
        if account is None:
            return Synced(fault="the account is gone or disabled")
        found, wait = Synced(), EVERY
        now = to_datetime(clock.now_ms())
        try:
            with opened(account) as opening:
                pages = opening.adapter.inventory(opening.session)
                _store(account, _noted(pages, opening.session), found, now)
        except PlatformError as error:
            found.fault = error.detail[:LONGEST_FAULT]
            wait = backoff(account.failures, error)
        _settle(account, found, due=to_datetime(clock.now_ms()) + wait, now=now)
        return found


def _noted(pages: Iterable[Sequence[Resource]], session: Any) -> Iterator[Sequence[Resource]]:
    """The pages; the calls that brought them are not kept, or an estate's pages would fill the memory."""
    for page in pages:
        session.exchanges()
        yield page


def backoff(failures: int, error: PlatformError) -> timedelta:
    """How long to leave an account alone after so many failures in a row, and this one."""
    asked = error.retry_after_s if isinstance(error, Throttled) else None
    doubled = min(EVERY * (1 << min(failures, 10)), LONGEST_WAIT)
    return max(doubled, timedelta(seconds=min(asked or 0.0, LONGEST_WAIT.total_seconds())))


def _settle(account: CloudAccount, found: Synced, *, due: datetime, now: datetime) -> None:
    """Write down how it went and when the account is due again; nothing else of the row."""
    account.fault, account.next_sync_at = found.fault, due
    account.failures = account.failures + 1 if found.fault else 0
    if not found.fault:
        account.synced_at = now
    account.save(update_fields=["fault", "failures", "next_sync_at", "synced_at"])


def _store(account: CloudAccount, pages: Iterable[Sequence[Resource]], found: Synced, now: datetime) -> None:
    known = _known(account)
    prices: Mapping[str, float] = account.settings.get("prices", {})
    for page in pages:
        rows = {(each.kind, each.place, each.id): each for each in page}
        found.seen += len(rows)
        changed = []
        for key, each in rows.items():
            row = _row(account, each, prices, now)
            if known.pop(key, b"") != row.digest:
                changed.append(row)
        found.written += len(changed)
        _write(changed)
    found.vanished = _vanish(account, known, now)


def _known(account: CloudAccount) -> dict[Key, bytes]:
    """What is written of each resource; one that had vanished counts as changed when it is back."""
    rows = CloudResource.objects.for_tenant(account.tenant_id).filter(account=account, vanished_at=None)
    values = rows.order_by().values_list("kind", "place", "uid", "digest").iterator(chunk_size=2_000)
    return {(kind, place, uid): bytes(digest) for kind, place, uid, digest in values}


def _row(account: CloudAccount, seen: Resource, prices: Mapping[str, float], now: datetime) -> CloudResource:
    cost = prices.get(seen.size) if seen.cost_per_hour is None else seen.cost_per_hour
    values = asdict(seen) | {"labels": dict(seen.labels), "cost_per_hour": cost}
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return CloudResource(
        tenant_id=account.tenant_id,
        account=account,
        kind=seen.kind,
        uid=seen.id[:500],
        place=seen.place[:200],
        name=seen.name[:500],
        state=seen.state[:100],
        healthy=seen.healthy,
        group=seen.group[:500],
        labels=dict(seen.labels),
        size=seen.size[:100],
        cost_per_hour=cost,
        digest=hashlib.blake2b(text.encode(), digest_size=16).digest(),
        first_seen_at=now,
        changed_at=now,
    )


def _write(rows: Sequence[CloudResource]) -> None:
    waiting = iter(rows)
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        CloudResource.across_tenants.bulk_create(
            batch,
            update_conflicts=True,
            unique_fields=["tenant", "account", "kind", "place", "uid"],
            update_fields=list(_CHANGING),
        )


def _vanish(account: CloudAccount, missed: Mapping[Key, bytes], now: datetime) -> int:
    """Say of what no page held that it is gone."""
    waiting, count = iter(missed), 0
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        rows = CloudResource.objects.for_tenant(account.tenant_id).filter(account=account, vanished_at=None)
        named = rows.filter(uid__in=[uid for _, _, uid in batch])
        gone = [
            pk
            for pk, kind, place, uid in named.values_list("pk", "kind", "place", "uid")
            if (kind, place, uid) in missed
        ]
        count += rows.filter(pk__in=gone).update(vanished_at=now)
    return count
