"""Metrics of cloud accounts as series: pulled when they are due, within a budget of calls.

An account is due by its column `next_pull_at`. A pull reaches back to the last one and a little further,
since providers fill in late; samples that are there already are refused by the store and do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import connection

from alertsite.core.clock import Clock, from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import label_set
from alertsite.tenancy.scope import platform_scope, tenant_scope
from cloud.adapters.protocol import MetricQuery, MetricSeries
from cloud.models import CloudAccount
from cloud.services.accounts import LONGEST_FAULT, opened, wanted_metrics
from cloud.services.inventory import backoff
from rules.series.protocols import SampleBatch, WriteReceipt
from rules.services.stores import hot_store

EVERY: Final = timedelta(minutes=1)
LEASE: Final = timedelta(minutes=5)
HOUR: Final = timedelta(hours=1)
OVERLAP: Final = timedelta(minutes=5)
"""How late a provider may fill in a sample that is still seen."""
CLAIMED_AT_ONCE: Final = 100

_CLAIM = """
WITH taken AS (
    SELECT id FROM cloud_cloudaccount WHERE enabled AND next_pull_at <= %(now)s
    ORDER BY next_pull_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE cloud_cloudaccount held SET next_pull_at = %(until)s
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id
"""


def claim_due(*, now: datetime, limit: int = CLAIMED_AT_ONCE) -> list[tuple[UUID, UUID]]:
    """Take the accounts whose metrics are due: pairs of account and tenant."""
    values: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return [(account_id, tenant_id) for account_id, tenant_id in cursor.fetchall()]


def pull_account(tenant_id: UUID, account_id: UUID, clock: Clock) -> WriteReceipt:
    """Ask for the account's metrics and store their samples; why it failed stands on the account."""
    with tenant_scope(tenant_id):
        account = CloudAccount.objects.for_tenant(tenant_id).filter(pk=account_id, enabled=True).first()
        if account is None or not account.metrics:
            return WriteReceipt(0)
        now = to_datetime(clock.now_ms())
        _renew_budget(account, now)
        queries = _queries(account, now)
        if not queries:
            _settle(account, now, fault="the budget of calls is spent", due=account.metric_hour_at + HOUR)
            return WriteReceipt(0)
        try:
            found = _asked(account, queries)
        except PlatformError as error:
            account.pull_failures += 1
            wait = backoff(account.pull_failures - 1, error)
            _settle(account, now, fault=error.detail[:LONGEST_FAULT], due=now + wait)
            return WriteReceipt(0)
        receipt = _stored(tenant_id, account, found, now)
        account.pulled_at, account.pull_failures = now, 0
        _settle(account, now, fault="", due=now + EVERY)
        return receipt


def _renew_budget(account: CloudAccount, now: datetime) -> None:
    if account.metric_hour_at is None or now >= account.metric_hour_at + HOUR:
        account.metric_hour_at, account.metric_calls = now, 0


def _queries(account: CloudAccount, now: datetime) -> list[MetricQuery]:
    """What is asked for: no more than calls are left, since one query may be one call."""
    since = max((account.pulled_at or now) - OVERLAP, now - HOUR)
    left = max(account.metric_calls_per_hour - account.metric_calls, 0)
    return [
        MetricQuery(
            metric=wanted.metric,
            resource_kind=wanted.kind,
            start_ms=from_datetime(since),
            end_ms=from_datetime(now),
            period_s=wanted.period_s,
            dimensions=wanted.dimensions,
        )
        for wanted in wanted_metrics(account)[:left]
    ]


def _asked(account: CloudAccount, queries: Sequence[MetricQuery]) -> list[MetricSeries]:
    """The answers; every call counts, also those of a pull that failed."""
    with opened(account) as opening:
        try:
            return list(opening.adapter.metrics(opening.session, queries))
        finally:
            account.metric_calls += len(opening.session.exchanges())


def _stored(
    tenant_id: UUID, account: CloudAccount, found: Iterable[MetricSeries], now: datetime
) -> WriteReceipt:
    series = [each for each in found if each.values]
    if not series:
        return WriteReceipt(0)
    sizes = [len(each.values) for each in series]
    batch = SampleBatch(
        label_sets=[label_set({**each.labels, "account": account.name}) for each in series],
        series=np.repeat(np.arange(len(series), dtype=np.int64), sizes),
        timestamps_ms=np.concatenate([np.asarray(each.at_ms, np.int64) for each in series]),
        values=np.concatenate([np.asarray(each.values, np.float64) for each in series]),
    )
    return hot_store(tenant_id).append(batch, now_ms=from_datetime(now))


def _settle(account: CloudAccount, now: datetime, *, fault: str, due: datetime) -> None:
    """Write down how it went and when it is due again; nothing else of the row."""
    account.pull_fault, account.next_pull_at = fault, max(due, now + EVERY)
    account.save(
        update_fields=[
            "pull_fault",
            "next_pull_at",
            "pulled_at",
            "pull_failures",
            "metric_calls",
            "metric_hour_at",
        ]
    )
