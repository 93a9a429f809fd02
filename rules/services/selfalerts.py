"""Alerts about the platform's own work for a tenant: a rule that overflows, a receiver that takes nothing, a
canary that did not arrive. They go the way of all alerts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import from_datetime
from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from alertsite.core.samples import STALE_NAN
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import AlertInstance, AlertTransition, Origin
from rules.series.protocols import SampleBatch
from rules.services.intake import Posted, Sender, take
from rules.services.stores import hot_store

OVERFLOW: Final = "AlertLimitExceeded"
DEAD_LETTER: Final = "NotificationDead"
CANARY: Final = "CanaryMissing"
ENDED_WITHIN: Final = timedelta(seconds=30)
"""Longer than between two looks: an end that one look missed is written by the next."""
_FOREVER: Final = timedelta(days=36_500)


def begin(tenant_id: UUID, name: str, labels: Mapping[str, str], summary: str, *, now: datetime) -> None:
    """Raise an alert of the platform's; one that fires already goes on."""
    posted = Posted(
        label_set({"alertname": name, "severity": "critical", **labels}),
        {"summary": summary},
        ends_at=now + _FOREVER,
    )
    take(tenant_id, [posted], Sender(Origin.PLATFORM, "alertsite", began=name), now=now, timeout=_FOREVER)


def end(tenant_id: UUID, name: str, labels: Mapping[str, str], *, now: datetime) -> None:
    """End an alert of the platform's, if it fires."""
    wanted = {"alertname": name, **labels}
    firing = AlertInstance.objects.for_tenant(tenant_id).filter(
        origin=Origin.PLATFORM, labels__contains=wanted
    )
    posted = [Posted(label_set(row.labels), row.annotations, ends_at=now) for row in firing]
    if posted:
        sender = Sender(Origin.PLATFORM, "alertsite", ended=f"{name}_over")
        take(tenant_id, posted, sender, now=now, timeout=_FOREVER)


def publish(*, now: datetime) -> int:
    """Write the platform's alerts that fire as `ALERTS`, and an end for those that ended since; rules do so
    for theirs at each tick. How many ended.
    """
    with platform_scope():
        mine = AlertInstance.across_tenants.filter(origin=Origin.PLATFORM, state="firing", closed_at=None)
        firing = {(tenant, _series(labels)) for tenant, labels in mine.values_list("tenant_id", "labels")}
        ends = AlertTransition.across_tenants.filter(
            origin=Origin.PLATFORM, state="resolved", fired_at__isnull=False, at__gt=now - ENDED_WITHIN
        )
        ended = {(tenant, _series(labels)) for tenant, labels in ends.values_list("tenant_id", "labels")}
    over = ended - firing
    by_tenant: dict[UUID, list[tuple[LabelSet, np.float64]]] = {}
    for found, value in ((firing, np.float64(1)), (over, STALE_NAN)):
        for tenant_id, labels in found:
            by_tenant.setdefault(tenant_id, []).append((labels, value))
    for tenant_id, samples in by_tenant.items():
        with tenant_scope(tenant_id):
            _write(tenant_id, samples, now)
    return len(over)


def _series(labels: Mapping[str, str]) -> LabelSet:
    return label_set({**labels, METRIC_NAME: "ALERTS", "alertstate": "firing"})


def _write(tenant_id: UUID, samples: Sequence[tuple[LabelSet, np.float64]], now: datetime) -> None:
    now_ms, count = from_datetime(now), len(samples)
    values = np.array([value for _, value in samples], np.float64)
    label_sets = [labels for labels, _ in samples]
    batch = SampleBatch(label_sets, np.arange(count), np.full(count, now_ms, np.int64), values)
    hot_store(tenant_id).append(batch, now_ms=now_ms)
