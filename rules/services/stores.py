"""The tenant's series store, kept by this process with its index and decoded windows."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from threading import Lock
from uuid import UUID

import redis
from django.conf import settings

from alertsite.tenancy.models import Quota
from rules.series.backends.redis_hot import RedisSeries
from rules.series.limits import SeriesLimits

MAX_OPEN_STORES = 256

_open: OrderedDict[UUID, tuple[SeriesLimits, RedisSeries]] = OrderedDict()
_lock = Lock()


@cache
def redis_client() -> redis.Redis:
    """This process's connection pool to Redis."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=5)


def hot_store(tenant_id: UUID) -> RedisSeries:
    """The hot store of a tenant, bound by its quota as of now."""
    quota = Quota.objects.get(pk=tenant_id)
    limits = SeriesLimits(lateness_ms=quota.lateness_s * 1000, max_series=quota.max_series)
    with _lock:
        known = _open.pop(tenant_id, None)
        if known is None or known[0] != limits:
            hot_ms = max(quota.hot_retention_s, quota.lateness_s) * 1000
            known = limits, RedisSeries(redis_client(), str(tenant_id), limits, hot_ms=hot_ms)
        _open[tenant_id] = known
        if len(_open) > MAX_OPEN_STORES:
            _open.popitem(last=False)
        return known[1]
