"""Alerts about the platform's own work for a tenant: a rule that overflows, a receiver that takes nothing, a
canary that did not arrive. They go the way of all alerts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from alertsite.core.labels import label_set
from rules.models import AlertInstance, Origin
from rules.services.intake import Posted, Sender, take

OVERFLOW: Final = "AlertLimitExceeded"
DEAD_LETTER: Final = "NotificationDead"
CANARY: Final = "CanaryMissing"
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
