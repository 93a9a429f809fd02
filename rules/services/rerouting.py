"""After routing changed: alerts that fire join the groups that the new tree leads to.

What was told by a group that no route leads to any more is told its end there, and not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.evaluation.states import State
from rules.models import AggregationGroup, AlertInstance, AlertTransition, GroupedAlert, NotificationSettings
from rules.services.dispatching import rejoin

ALERTS_AT_ONCE: Final = 2_000


def reroute_changed(*, now: datetime) -> int:
    """Route anew for every tenant whose routing changed. How many tenants."""
    with platform_scope():
        behind = NotificationSettings.across_tenants.filter(revision__gt=F("applied_revision"))
        tenants = list(behind.values_list("tenant_id", flat=True))
    return sum(_reroute(tenant_id, now=now) for tenant_id in tenants)


def _reroute(tenant_id: UUID, *, now: datetime) -> bool:
    """Route one tenant's alerts anew, unless somebody else is at it."""
    with tenant_scope(tenant_id), transaction.atomic():
        rows = NotificationSettings.objects.for_tenant(tenant_id).select_for_update(skip_locked=True)
        settings = rows.filter(revision__gt=F("applied_revision")).first()
        if settings is None:
            return False
        wanted: set[tuple[str, int]] = set()
        for firing in _firing(tenant_id):
            wanted |= rejoin(tenant_id, firing, now=now)
        _leave(tenant_id, wanted)
        rows.filter(pk=settings.pk).update(applied_revision=settings.revision)
        return True


def _firing(tenant_id: UUID) -> Iterator[list[AlertTransition]]:
    """The last change of each alert that fires, in parts."""
    alerts = AlertInstance.objects.for_tenant(tenant_id).filter(state=State.FIRING, closed_at=None)
    ids = list(alerts.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), ALERTS_AT_ONCE):
        part = ids[start : start + ALERTS_AT_ONCE]
        changes = AlertTransition.objects.for_tenant(tenant_id).filter(alert_id__in=part, state=State.FIRING)
        yield list(changes.order_by("alert_id", "-at").distinct("alert_id"))


def _leave(tenant_id: UUID, wanted: set[tuple[str, int]]) -> None:
    """Take alerts out of groups they do not belong to, unless the group told of them."""
    members = GroupedAlert.objects.for_tenant(tenant_id).filter(firing=True)
    strays = [
        (member, group, sent)
        for member, group, key, print_, sent in members.values_list(
            "pk", "group_id", "group__key", "fingerprint", "sent"
        )
        if (key, print_) not in wanted
    ]
    members.filter(pk__in=[member for member, _, sent in strays if not sent]).delete()
    left = {group for _, group, sent in strays if sent}
    AggregationGroup.objects.for_tenant(tenant_id).filter(pk__in=left).update(orphaned=True)
