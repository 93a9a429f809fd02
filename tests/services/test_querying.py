"""Queries of a tenant's hot series, which other processes write as well."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.clock import from_datetime
from alertsite.core.labels import label_set
from alertsite.tenancy.scope import platform_scope
from rules.series.backends.redis_hot.store import RedisSeries
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch
from rules.services.querying import QueryTerms, TenantQueries
from rules.services.stores import redis_client
from tests.factories.rows import NOON, make_tenant

NOW_MS = from_datetime(NOON)


@pytest.fixture(autouse=True)
def _everywhere(db, redis_url):
    with platform_scope():
        yield


def test_a_series_that_another_process_adds_is_found_though_nothing_was_read_before():
    tenant = make_tenant()

    def names():
        result = TenantQueries(tenant.pk, NOW_MS).instant("answered", NOW_MS, QueryTerms())
        return [dict(labels)["__name__"] for labels in result.labels]

    elsewhere = RedisSeries(redis_client(), str(tenant.pk), SeriesLimits())
    assert names() == []
    batch = SampleBatch(
        [label_set({"__name__": "answered"})], np.zeros(1, int), np.full(1, NOW_MS), np.ones(1)
    )
    elsewhere.append(batch, now_ms=NOW_MS)

    assert names() == ["answered"]
