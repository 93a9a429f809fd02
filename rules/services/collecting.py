"""Collecting this machine's own metrics into a tenant."""

from __future__ import annotations

import socket
from functools import cache
from uuid import UUID

from alertsite.core.clock import Clock
from alertsite.tenancy.scope import tenant_scope
from rules.series.collectors.described import described_readings
from rules.series.collectors.host import HostCollector
from rules.series.protocols import WriteReceipt
from rules.services.operators import operators_tenant
from rules.services.stores import hot_store, metric_metadata


@cache
def host_collector() -> HostCollector:
    """One collector a process: it keeps the previous reading, from which shares of time are computed."""
    return HostCollector(instance=socket.gethostname(), job="node")


def collect_host(clock: Clock) -> WriteReceipt:
    """Read this machine and store the samples for the tenant named by `HOST_METRICS_TENANT`; nothing if
    none is.
    """
    tenant_id = operators_tenant()
    return WriteReceipt(0) if tenant_id is None else collect_host_for(tenant_id, clock)


def collect_host_for(tenant_id: UUID, clock: Clock) -> WriteReceipt:
    """Read this machine and store the samples for one tenant."""
    now_ms = clock.now_ms()
    batch = host_collector().collect(now_ms)
    with tenant_scope(tenant_id):
        receipt = hot_store(tenant_id).append(batch, now_ms=now_ms)
        metric_metadata(tenant_id).note(described_readings(batch.label_sets), now_ms=now_ms)
        return receipt
