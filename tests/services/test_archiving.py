"""Closed blocks move to PostgreSQL, are read back with what is hot, and go when they are too old."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from alertsite.core.clock import from_datetime
from alertsite.core.labels import label_set
from alertsite.tenancy.models import Quota
from alertsite.tenancy.scope import platform_scope
from rules.models import AggregationGroup, LedgerEntry, OutboxMessage, SeriesBlock
from rules.series.protocols import SampleBatch
from rules.services import archiving
from rules.services.querying import QueryTerms, TenantQueries
from rules.services.stores import hot_store
from tests.factories.notifying import flush_due, make_route, post
from tests.factories.rows import NOON, make_group, make_receiver, make_rule, make_tenant
from tests.fakes.clock import FakeClock

START_MS = from_datetime(NOON)
LABELS = [label_set({"__name__": "temperature", "room": room}) for room in ("kitchen", "attic")]


@pytest.fixture(autouse=True)
def _everywhere(db, redis_url):
    with platform_scope():
        yield


@pytest.fixture
def tenant():
    made = make_tenant()
    Quota.objects.filter(pk=made.pk).update(lateness_s=60, hot_retention_s=3600, archive_retention_days=1)
    return made


@pytest.fixture
def clock():
    return FakeClock(NOON)


def write_half_hour(tenant, clock):
    """A sample a minute of two series, for half an hour: three windows of ten minutes."""
    for minute in range(30):
        times = np.full(2, clock.now_ms())
        batch = SampleBatch(LABELS, np.arange(2), times, np.array([20.0 + minute, 10.0]))
        assert hot_store(tenant.pk).append(batch, now_ms=clock.now_ms()).accepted == 2
        clock.advance(minutes=1)


def average(tenant, clock, at_ms):
    result = TenantQueries(tenant.pk, clock.now_ms()).instant(
        'avg_over_time(temperature{room="kitchen"}[10m])', at_ms, QueryTerms()
    )
    return result.values.tolist()


def test_closed_windows_are_archived_once(tenant, clock):
    write_half_hour(tenant, clock)

    assert archiving.archive_tenant(tenant.pk, clock) == 2
    assert archiving.archive_tenant(tenant.pk, clock) == 0
    blocks = SeriesBlock.objects.for_tenant(tenant).order_by("window_start_at")
    assert [(block.series_count, block.sample_count) for block in blocks] == [(2, 20), (2, 20)]
    assert blocks[0].window_start_at == NOON


def test_query_reads_the_archive_where_the_hot_store_ends(tenant, clock):
    write_half_hour(tenant, clock)
    clock.advance(minutes=2)
    archiving.archive_tenant(tenant.pk, clock)
    for window in hot_store(tenant.pk).closed_windows(clock.now_ms()):
        hot_store(tenant.pk).drop_window(window)
    clock.advance(hours=3)

    assert average(tenant, clock, START_MS + 19 * 60_000) == [34.5]


def test_archived_and_hot_samples_are_one_series(tenant, clock):
    write_half_hour(tenant, clock)
    archiving.archive_tenant(tenant.pk, clock)
    hot_store(tenant.pk).drop_window(START_MS)
    clock.advance(hours=1)

    assert average(tenant, clock, START_MS + 14 * 60_000) == [29.5]


def test_blocks_go_after_the_tenants_retention(tenant, clock):
    write_half_hour(tenant, clock)
    assert archiving.archive_all(clock)["blocks"] == 2
    clock.advance(days=2)

    assert archiving.archive_all(clock)["blocks_expired"] == 2
    assert not SeriesBlock.objects.for_tenant(tenant).exists()


def test_ledger_goes_after_its_retention(tenant, clock):
    rule = make_rule(make_group(tenant))
    for age in (timedelta(days=1), archiving.LEDGER_RETENTION + timedelta(days=1)):
        moment = NOON - age
        LedgerEntry.objects.create(
            tenant=tenant,
            shard=rule.group.shard,
            due_at=moment,
            started_at=moment,
            finished_at=moment,
            data_as_of=moment,
            fencing_token=1,
            outcomes=b"\0",
        )

    assert archiving.expire_history(clock) == {
        "ledger": 1,
        "canaries": 0,
        "messages": 0,
        "suppressions": 0,
        "groups": 0,
        "reports": 0,
    }


def test_groups_that_nothing_joins_go_and_those_in_use_stay(tenant):
    clock = FakeClock(NOON)
    make_route(tenant, receiver=make_receiver(tenant, name="desk"), group_by=["n"], group_wait_s=0)
    post(tenant, {"n": "over"}, {"n": "goes on"}, now=NOON, ends_at=NOON + timedelta(days=9999))
    flush_due(clock)
    clock.advance(minutes=6)
    post(tenant, {"n": "over"}, now=clock.now(), ends_at=clock.now())
    flush_due(clock)
    clock.advance(minutes=6)
    flush_due(clock)
    OutboxMessage.objects.for_tenant(tenant).update(status="delivered")
    clock.advance(days=archiving.LEDGER_RETENTION.days + 1)

    done = archiving.expire_history(clock)

    assert done["groups"] == 1
    (kept,) = AggregationGroup.objects.for_tenant(tenant)
    assert kept.labels == {"n": "goes on"}
