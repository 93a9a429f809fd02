"""Measuring runs: from an alert to the first action, and a thousand runs at once that would break a limit
if they could.

A real worker serves the queue `heal` over the real broker; the provider is one in memory that answers at
once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from celery import current_app
from django.conf import settings

from alertsite.audit.services import Author
from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.labels import fingerprint, label_set
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import create_tenant
from cloud.models import CloudAccount
from healing.models import HealingPolicy, HealingRun, HealingStep, Playbook
from healing.services import playbooks
from healing.services.starting import Wish, start_by_hand
from rules.bench.accounting import Meter
from rules.bench.web import BenchFailed, cpu_s, worker
from rules.models import AlertInstance, AlertTransition, Origin
from rules.services.dispatching import tell
from rules.services.stores import redis_client

FAKE: Final = "cloud.adapters.fake.adapter.FakeAdapter"
WAKE: Final = "healing.tasks.healing.wake_healing"
WAKE_EVERY_S: Final = 0.5
CONCURRENCY: Final = 8
RATE: Final = 5
SECONDS: Final = 20
RUNS: Final = 1_000
ALLOWED: Final = 300
PATIENCE_S: Final = 300.0
STEP: Final = '  - {action: restart_service, account: prod, with: {service: "{{ labels.service }}"}}\n'
BY_ALERT: Final = (
    "playbook: by alert\ntrigger: {alert: 'alertname=\"Bench\"'}\n"
    "limits: {per_hour: 10000, cool_down: 0s, concurrent: 1000}\n"
    "verify: {for: 1m, within: 1h, every: 10m}\nsteps:\n" + STEP
)
AT_ONCE: Final = (
    "playbook: at once\ntrigger: {manual: true}\n"
    f"limits: {{per_hour: {ALLOWED}, cool_down: 0s, concurrent: 1000, wait: 1m}}\nsteps:\n" + STEP
)


@dataclass(frozen=True, slots=True)
class Latency:
    """From the alert's row to the intent of the first call. Milliseconds."""

    alerts: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What became of runs that began together, and what one cost."""

    runs: int
    allowed: int
    acted: int
    seconds: float
    cpu_ms_per_run: float


def measure_all() -> Iterator[tuple[Any, str]]:
    """Figures with words."""
    latency = measure_latency()
    yield (
        latency,
        (
            f"alert to first action, {RATE}/s: p50 {latency.p50_ms:.0f} ms, p99 {latency.p99_ms:.0f} ms "
            f"({latency.alerts} alerts, one worker of {CONCURRENCY} threads)"
        ),
    )
    many = measure_at_once()
    yield (
        many,
        (
            f"{many.runs:,} runs at once: {many.acted} acted of {many.allowed} that an hour allows, ended in "
            f"{many.seconds:.1f} s, {many.cpu_ms_per_run:.1f} ms of CPU a run (worker, PostgreSQL, Redis)"
        ),
    )


@contextmanager
def _pool() -> Iterator[Any]:
    """A heal pool, woken as often as beat wakes it."""
    over = threading.Event()

    def wake() -> None:
        while not over.wait(WAKE_EVERY_S):
            current_app.send_task(WAKE, queue="heal", expires=10)

    adapters = ",".join([*settings.CLOUD_ADAPTERS, FAKE])
    with worker("heal", CONCURRENCY, CLOUD_ADAPTERS=adapters) as process:
        waker = threading.Thread(target=wake, daemon=True)
        waker.start()
        try:
            yield process
        finally:
            over.set()
            waker.join()


def _scene(text: str) -> tuple[Tenant, Playbook]:
    """A tenant whose playbook is armed and needs nobody's approval."""
    author = Author("bench", to_datetime(SystemClock().now_ms()))
    with platform_scope():
        tenant = create_tenant(f"bench-{uuid4().hex[:8]}", "Bench")
        things = {f"s{number}": 1 for number in range(RUNS)}
        CloudAccount.objects.create(
            tenant=tenant, name="prod", provider="fake", settings={"world": str(tenant.pk), "things": things}
        )
        HealingPolicy.objects.create(
            tenant=tenant, low="none", medium="none", high="none", per_hour=100_000, concurrent=100_000
        )
        playbook = playbooks.save_playbook(Playbook(tenant=tenant), playbooks.Draft(text), author)
        return tenant, playbooks.arm(playbook, author, is_person=True)


def measure_latency() -> Latency:
    """Alerts begin to fire at a rate; each starts a run."""
    tenant, _ = _scene(BY_ALERT)
    count = RATE * SECONDS
    with _pool(), tenant_scope(tenant.pk):
        runs = HealingRun.objects.for_tenant(tenant).filter(first_action_at__isnull=False)
        _fire(tenant, count)
        _wait(runs.exists)  # the worker is up
        began = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            _fire(tenant, number)
        _wait(lambda: runs.count() > count)
        measured = runs.order_by("created_at")[1:]
        waits = sorted((run.first_action_at - run.caused_at).total_seconds() * 1000 for run in measured)
    return Latency(count, waits[count // 2], waits[int(count * 0.99)])


def _fire(tenant: Tenant, number: int) -> None:
    now = to_datetime(SystemClock().now_ms())
    labels = {"alertname": "Bench", "service": f"s{number}"}
    known = fingerprint(label_set(labels))
    alert = AlertInstance.objects.create(
        tenant=tenant,
        origin=Origin.FOREIGN,
        series_fingerprint=known,
        labels=labels,
        state="firing",
        active_since=now,
        fired_at=now,
    )
    change = AlertTransition(
        tenant=tenant,
        alert_id=alert.pk,
        origin=Origin.FOREIGN,
        rule_version=0,
        previous="inactive",
        state="firing",
        at=now,
        fired_at=now,
        fingerprint=known,
        labels=labels,
        trace={},
    )
    tell([change], now=now)


def measure_at_once() -> AtOnce:
    """Runs that all begin together, of which the limit of an hour allows a part."""
    tenant, playbook = _scene(AT_ONCE)
    author = Author("somebody", to_datetime(SystemClock().now_ms()))
    with tenant_scope(tenant.pk):
        for number in range(RUNS):
            labels = {"service": f"s{number}"}
            start_by_hand(playbook, Wish(labels, dry=False), author, is_person=True)
        meter = Meter(redis_client())
        with _pool() as process:
            before, worker_before, began = meter.read(), cpu_s(process), time.monotonic()
            _wait(lambda: not HealingRun.objects.for_tenant(tenant).filter(finished_at=None).exists())
            seconds = time.monotonic() - began
            spent, worker_s = meter.read() - before, cpu_s(process) - worker_before
        acted = HealingStep.objects.for_tenant(tenant).filter(receipt__isnull=False).count()
    if acted > ALLOWED:
        raise BenchFailed(f"{acted} actions were taken, the limit is {ALLOWED}")
    cost_s = worker_s + spent.postgres + spent.redis
    return AtOnce(RUNS, ALLOWED, acted, seconds, cost_s / RUNS * 1000)


def _wait(done: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            raise BenchFailed(f"the runs were not done within {PATIENCE_S:.0f} s")
        time.sleep(0.5)
