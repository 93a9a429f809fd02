"""Measures a sync of the inventory: many machines of a simulated Google Cloud project, over real HTTP.

In: how many. Out: seconds and memory of the first sync, of one where nothing changed, and of one where a
hundredth did. The simulator runs in a process of its own, so that its memory is not ours.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import httpx
import psutil
from django.db import connections
from django.test.utils import override_settings

from alertsite.core.clock import SystemClock
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import create_tenant
from cloud.bench.estate import ZONE, serve
from cloud.models import CloudAccount
from cloud.services.inventory import sync_account

MEGABYTE: Final = 1024 * 1024
CHANGED_SHARE: Final = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """One sync. `peak_mb` is the memory of this process at its highest, `grown_mb` what the sync added."""

    what: str
    resources: int
    written: int
    seconds: float
    grown_mb: float
    peak_mb: float


def measure_inventory(count: int) -> Iterator[Measured]:
    """Three syncs of so many machines."""
    with _simulated(count) as url, override_settings(CLOUD_ALLOW_PRIVATE=True):
        tenant_id, account_id = _account(url)
        for what, path in (("first", ""), ("unchanged", ""), ("a hundredth changed", "change")):
            if path:
                _change(url, count // CHANGED_SHARE)
            yield _measured(what, tenant_id, account_id)


def _measured(what: str, tenant_id: UUID, account_id: UUID) -> Measured:
    process = psutil.Process()
    before, began = process.memory_info().rss, time.perf_counter()
    found = sync_account(tenant_id, account_id, SystemClock())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Measured(
        what,
        found.seen,
        found.written,
        seconds,
        (process.memory_info().rss - before) / MEGABYTE,
        peak / MEGABYTE,
    )


def _account(url: str) -> tuple[UUID, UUID]:
    with platform_scope():
        tenant = create_tenant(f"bench-{time.monotonic_ns()}", "Bench")
    with tenant_scope(tenant.pk):
        account = CloudAccount.objects.create(
            tenant=tenant,
            name="bench",
            provider="gcp",
            settings={"project": "simulated-project", "zones": [ZONE], "endpoint": url},
            credentials={"access_token": "simulated-token"},
        )
    return tenant.pk, account.pk


@contextmanager
def _simulated(count: int) -> Iterator[str]:
    connections.close_all()
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(count, theirs), daemon=True)
    process.start()
    try:
        theirs.close()
        yield ours.recv()  # raises EOFError if the process died
    finally:
        process.terminate()
        process.join()


def _change(url: str, count: int) -> None:
    httpx.post(f"{url}/_control/world", json={"change": count}).raise_for_status()
