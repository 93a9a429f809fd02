"""The tenant's series store, kept by this process with its index and decoded windows."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Final
from uuid import UUID

import redis
from django.conf import settings

from alertsite.tenancy.models import Quota
from rules.series.backends.deltas import RedisDeltas
from rules.series.backends.metadata import RedisMetadata
from rules.series.backends.redis_hot import RedisSeries
from rules.series.limits import SeriesLimits

MAX_OPEN_STORES: Final = 256
QUOTA_KEPT_S: Final = 5
"""How long a changed quota may go unnoticed: a writer at full speed must not ask for it with every request.
"""


@dataclass(frozen=True, slots=True)
class _Open:
    store: RedisSeries
    metadata: RedisMetadata
    limits: SeriesLimits
    hot_ms: int
    until_s: float


_open: OrderedDict[UUID, _Open] = OrderedDict()
_lock = Lock()


@cache
def redis_client() -> redis.Redis:
    """Redis, by one connection pool a process."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=10, socket_connect_timeout=5)


def hot_store(tenant_id: UUID) -> RedisSeries:
    """The hot store of a tenant, bound by its quota of at most `QUOTA_KEPT_S` ago."""
    return _opened(tenant_id).store


def delta_totals(tenant_id: UUID) -> RedisDeltas:
    """The tenant's running totals of delta sums, bound by its quota of series."""
    return RedisDeltas(redis_client(), str(tenant_id), _opened(tenant_id).limits.max_series)


def metric_metadata(tenant_id: UUID) -> RedisMetadata:
    """Types, help texts and units of the tenant's metrics."""
    return _opened(tenant_id).metadata


def hot_span_ms(tenant_id: UUID) -> int:
    """How far back the tenant's hot store reaches."""
    return _opened(tenant_id).hot_ms


def _opened(tenant_id: UUID) -> _Open:
    now_s = time.monotonic()
    with _lock:
        known = _open.get(tenant_id)
        if known is not None and now_s < known.until_s:
            return known
    quota = Quota.objects.get(pk=tenant_id)
    limits = SeriesLimits(lateness_ms=quota.lateness_s * 1000, max_series=quota.max_series)
    hot_ms = max(quota.hot_retention_s, quota.lateness_s) * 1000
    with _lock:
        known = _open.pop(tenant_id, None)
        if known is not None and (known.limits, known.hot_ms) == (limits, hot_ms):
            store, metadata = known.store, known.metadata
        else:
            store = RedisSeries(redis_client(), str(tenant_id), limits, hot_ms=hot_ms)
            metadata = RedisMetadata(redis_client(), str(tenant_id))
        fresh = _open[tenant_id] = _Open(store, metadata, limits, hot_ms, now_s + QUOTA_KEPT_S)
        if len(_open) > MAX_OPEN_STORES:
            _open.popitem(last=False)
        return fresh
