"""Alerts that flap: found as they change, shown, and damped where the tenant wants it, with an undo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from alertsite.core.clock import from_datetime
from alertsite.tenancy.bulk import insert_rows
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.alerts.flapping import Flapping, FlappingReason, FlappingTerms, judge
from rules.evaluation.states import NOTIFIED, State
from rules.models import (
    AggregationGroup,
    AlertAction,
    AlertInstance,
    AlertTransition,
    GroupedAlert,
    NotificationSettings,
)

PLATFORM: Final = "alertsite"
MAX_AT_ONCE: Final = 5_000
# By label set whatever the planner believes of the tenant: see the same in `intake`.
_CHANGES: Final = """
SELECT fingerprint, at, alert_id FROM rules_alerttransition
WHERE fingerprint = ANY(%s) AND at > %s AND tenant_id::text = %s AND state = ANY(%s)
ORDER BY at
"""
_BEFORE: Final = Flapping(True, 0, 0, FlappingReason.GOES_ON)


def terms_of(settings: NotificationSettings, *, exempt: bool = False) -> FlappingTerms:
    """When a tenant's alerts flap: half as many changes as begin it end it, as in Nagios."""
    changes = settings.flapping_changes
    return FlappingTerms(settings.flapping_window_s * 1000, changes, max(1, changes // 2), exempt)


def note_flapping(settings: NotificationSettings, firing: Sequence[AlertTransition], *, now: datetime) -> int:
    """Mark those of the alerts that just began to fire which flap. How many.

    Called inside the transaction that stores the changes, after they are stored.
    """
    if not firing:
        return 0
    changes = _changes(settings, [row.fingerprint or 0 for row in firing], now)
    exempt = _exempt(settings, changes, now)
    flapping = [
        row
        for row in firing
        if judge(
            [at_ms for at_ms, _ in changes[row.fingerprint or 0]],
            terms_of(settings, exempt=(row.fingerprint or 0) in exempt),
            before=None,
            now_ms=from_datetime(now),
        ).state
    ]
    if not flapping:
        return 0
    ids = [row.alert_id for row in flapping]
    alerts = AlertInstance.objects.for_tenant(settings.tenant_id).filter(pk__in=ids)
    alerts.update(flapping=True, damped=settings.damp_flapping)
    if settings.damp_flapping:
        text = f"{settings.flapping_changes} changes or more within {settings.flapping_window_s} s"
        insert_rows(
            [
                AlertAction(
                    tenant_id=settings.tenant_id,
                    alert_id=alert_id,
                    kind=AlertAction.Kind.DAMPED,
                    actor=PLATFORM,
                    at=now,
                    text=text,
                )
                for alert_id in ids
            ]
        )
    return len(ids)


def _changes(
    settings: NotificationSettings, fingerprints: Sequence[int], now: datetime
) -> Mapping[int, list[tuple[int, UUID]]]:
    """Times and alerts of the changes in the window, by label set, in order. One statement."""
    since = now - timedelta(seconds=settings.flapping_window_s)
    wanted: list[Any] = [list(set(fingerprints)), since, str(settings.tenant_id), list(NOTIFIED)]
    found: defaultdict[int, list[tuple[int, UUID]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, wanted)
        for print_, at, alert_id in cursor.fetchall():
            found[print_].append((from_datetime(at), alert_id))
    return found


def _exempt(
    settings: NotificationSettings, changes: Mapping[int, list[tuple[int, UUID]]], now: datetime
) -> set[int]:
    """Label sets whose damping somebody undid within the window."""
    since = now - timedelta(seconds=settings.flapping_window_s)
    often = {
        print_: {alert for _, alert in ones}
        for print_, ones in changes.items()
        if len(ones) >= settings.flapping_changes
    }
    if not often:
        return set()
    undone = AlertAction.objects.for_tenant(settings.tenant_id).filter(
        kind=AlertAction.Kind.UNDAMPED, at__gt=since
    )
    alerts = set(undone.values_list("alert_id", flat=True))
    return {print_ for print_, ones in often.items() if ones & alerts}


def calm_down(*, now: datetime) -> int:
    """Alerts that flapped and are steady again are told as others. How many."""
    with platform_scope():
        rows = AlertInstance.across_tenants.filter(flapping=True).order_by()
        tenants = list(rows.values_list("tenant_id", flat=True).distinct())
    return sum(_calm_down(tenant_id, now=now) for tenant_id in tenants)


def _calm_down(tenant_id: UUID, *, now: datetime) -> int:
    with tenant_scope(tenant_id), transaction.atomic():
        settings = NotificationSettings.objects.for_tenant(tenant_id).first()
        if settings is None:
            return 0
        alerts = AlertInstance.objects.for_tenant(tenant_id).filter(flapping=True, state=State.FIRING)
        ids = list(alerts.order_by("pk").values_list("pk", flat=True)[:MAX_AT_ONCE])
        last = AlertTransition.objects.for_tenant(tenant_id).filter(alert_id__in=ids, state=State.FIRING)
        prints = dict(last.values_list("alert_id", "fingerprint"))
        changes = _changes(settings, list(prints.values()), now)
        steady = [
            alert_id
            for alert_id, print_ in prints.items()
            if not judge(
                [at_ms for at_ms, _ in changes[print_]],
                terms_of(settings),
                before=_BEFORE,
                now_ms=from_datetime(now),
            ).state
        ]
        AlertInstance.objects.for_tenant(tenant_id).filter(pk__in=steady).update(flapping=False, damped=False)
        members = GroupedAlert.objects.for_tenant(tenant_id).filter(alert_id__in=steady, firing=True)
        groups = list(members.values_list("group_id", flat=True))
        AggregationGroup.objects.for_tenant(tenant_id).filter(pk__in=groups).update(next_flush_at=now)
        return len(steady)
