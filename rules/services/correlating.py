"""Alerts that belong together become incidents: by labels, topology and time, with the reason kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from alertsite.core.clock import from_datetime
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.alerts.incidents import MAX_MEMBERS, CorrelationTerms, assign, join
from rules.alerts.incidents import Incident as IncidentTerms
from rules.models import AlertInstance, Incident, IncidentAlert, NotificationSettings

ALERTS_AT_ONCE: Final = 500
DEFAULT_LABELS: Final = ("service", "cluster", "namespace", "instance", "host", "job")
"""Labels that relate alerts where a tenant names none."""


def correlate_new(*, now: datetime) -> int:
    """Give alerts that fire and have no incident yet a place in one. How many alerts."""
    with platform_scope():
        placed = IncidentAlert.across_tenants.values("alert_id")
        fresh = AlertInstance.across_tenants.filter(state="firing").exclude(pk__in=placed)
        rows = list(fresh.order_by("fired_at", "pk").values_list("tenant_id", "pk")[:ALERTS_AT_ONCE])
    by_tenant: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for tenant_id, alert_id in rows:
        by_tenant[tenant_id].append(alert_id)
    return sum(_correlate(tenant_id, alerts, now=now) for tenant_id, alerts in by_tenant.items())


def end_incidents(*, now: datetime) -> int:
    """End the incidents none of whose alerts fires any more. How many."""
    with platform_scope():
        firing = AlertInstance.across_tenants.filter(state="firing").values("pk")
        alive = IncidentAlert.across_tenants.filter(alert_id__in=firing).values("incident_id")
        over = Incident.across_tenants.filter(ended_at=None).exclude(pk__in=alive)
        return over.update(ended_at=now)


def terms_of(settings: NotificationSettings | None) -> CorrelationTerms:
    """What relates a tenant's alerts."""
    if settings is None:
        return CorrelationTerms(DEFAULT_LABELS, 600_000)
    edges = [tuple(end.partition("=")[::2] for end in edge) for edge in settings.topology]
    return CorrelationTerms(
        labels=tuple(settings.incident_labels) or DEFAULT_LABELS,
        window_ms=settings.incident_window_s * 1000,
        topology_labels=tuple({name for edge in edges for name, _ in edge}),
        edges=frozenset((begin[1], end[1]) for begin, end in edges),
    )


def _correlate(tenant_id: UUID, alerts: Sequence[UUID], *, now: datetime) -> int:
    """Place one tenant's new alerts. A row is held, so that two workers do not make an incident each."""
    with tenant_scope(tenant_id), transaction.atomic():
        settings = NotificationSettings.objects.for_tenant(tenant_id).select_for_update().first()
        terms = terms_of(settings)
        placed = IncidentAlert.objects.for_tenant(tenant_id).filter(alert_id__in=alerts)
        done = set(placed.values_list("alert_id", flat=True))
        rows = AlertInstance.objects.for_tenant(tenant_id).filter(
            pk__in=[one for one in alerts if one not in done]
        )
        open_ = _open(tenant_id, since=now - timedelta(milliseconds=terms.window_ms))
        for row in rows.order_by("fired_at", "pk"):
            _place(row, open_, terms)
        return len(rows)


def _open(tenant_id: UUID, *, since: datetime) -> dict[str, IncidentTerms]:
    """Incidents that an alert may still join."""
    rows = list(Incident.objects.for_tenant(tenant_id).filter(ended_at=None, last_at__gte=since))
    members: defaultdict[UUID, list[dict[str, str]]] = defaultdict(list)
    placed = IncidentAlert.objects.for_tenant(tenant_id).filter(incident__in=rows)
    for incident_id, labels in placed.order_by("started_at").values_list("incident_id", "labels"):
        members[incident_id].append(labels)
    return {
        str(row.pk): IncidentTerms(
            str(row.pk), from_datetime(row.last_at), tuple(members[row.pk][-MAX_MEMBERS:])
        )
        for row in rows
    }


def _place(row: AlertInstance, open_: dict[str, IncidentTerms], terms: CorrelationTerms) -> None:
    began = row.fired_at or row.active_since
    found = assign(row.labels, from_datetime(began), list(open_.values()), terms)
    if found.incident_id is None:
        name = str(row.labels.get("alertname", "alert"))
        incident = Incident.objects.create(
            tenant_id=row.tenant_id, title=name[:300], started_at=began, last_at=began
        )
        known = IncidentTerms(str(incident.pk), from_datetime(began), ())
    else:
        known = open_[found.incident_id]
        Incident.objects.for_tenant(row.tenant_id).filter(pk=known.id, last_at__lt=began).update(
            last_at=began
        )
    open_[known.id] = join(known, row.labels, from_datetime(began))
    IncidentAlert.objects.create(
        tenant_id=row.tenant_id,
        incident_id=known.id,
        alert_id=row.pk,
        labels=row.labels,
        started_at=began,
        reason=found.reason,
        evidence=", ".join(found.evidence)[:300],
    )
