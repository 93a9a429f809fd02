"""Alerts that belong together become incidents: by labels, topology and time, with the reason kept.

However many alerts fire and incidents are known, only those are read that are new, open, or remembered.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from alertsite.core.clock import from_datetime
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.selecting import rows_of
from rules.alerts.incidents import MAX_MEMBERS, MAX_OPEN, CorrelationTerms, assign, join
from rules.alerts.incidents import Incident as IncidentTerms
from rules.models import AlertInstance, Incident, IncidentAlert, NotificationSettings

ALERTS_AT_ONCE: Final = 500
DEFAULT_LABELS: Final = ("service", "cluster", "namespace", "instance", "host", "job")
"""Labels that relate alerts where a tenant names none."""

# The newest alert first, since it most likely fires still: an incident that goes on costs one look.
_END: Final = """
UPDATE rules_incident incident SET ended_at = %s
WHERE ended_at IS NULL AND (
    SELECT true FROM rules_incidentalert member JOIN rules_alertinstance alert ON alert.id = member.alert_id
    WHERE member.incident_id = incident.id AND alert.state = 'firing' AND alert.closed_at IS NULL
    ORDER BY member.started_at DESC LIMIT 1
) IS NULL
"""
_OPEN: Final = """
SELECT incident.id, incident.last_at, member.labels
FROM (
    SELECT id, last_at FROM rules_incident
    WHERE tenant_id = %(tenant)s AND ended_at IS NULL AND last_at >= %(since)s
    ORDER BY last_at DESC, id DESC LIMIT %(incidents)s
) AS incident CROSS JOIN LATERAL (
    SELECT labels, started_at FROM rules_incidentalert
    WHERE incident_id = incident.id ORDER BY started_at DESC LIMIT %(members)s
) AS member
ORDER BY member.started_at
"""


def correlate_new(*, now: datetime) -> int:
    """Give alerts that fire and have no incident yet a place in one. How many alerts."""
    with platform_scope():
        fresh = AlertInstance.across_tenants.filter(fired_at__isnull=False, correlated=False)
        rows = list(fresh.order_by("fired_at", "pk").values_list("tenant_id", "pk")[:ALERTS_AT_ONCE])
    by_tenant: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for tenant_id, alert_id in rows:
        by_tenant[tenant_id].append(alert_id)
    return sum(_correlate(tenant_id, alerts, now=now) for tenant_id, alerts in by_tenant.items())


def end_incidents(*, now: datetime) -> int:
    """End the incidents none of whose alerts fires any more, or only for machines. How many."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_END, [now])
        return int(cursor.rowcount)


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
    """Place one tenant's new alerts. A row is held, so that two workers do not make an incident each.

    An alert that somebody else holds, who may be ending it, is left for the next time.
    """
    with tenant_scope(tenant_id), transaction.atomic():
        settings = NotificationSettings.objects.for_tenant(tenant_id).select_for_update().first()
        terms = terms_of(settings)
        own = AlertInstance.objects.for_tenant(tenant_id)
        fresh = own.filter(pk__in=alerts, correlated=False).order_by("fired_at", "pk")
        rows = list(fresh.select_for_update(skip_locked=True, of=("self",)))
        placed = IncidentAlert.objects.for_tenant(tenant_id).filter(alert_id__in=alerts)
        done = set(placed.values_list("alert_id", flat=True))
        new = [row for row in rows if row.pk not in done]
        open_ = _open(tenant_id, since=now - timedelta(milliseconds=terms.window_ms)) if new else {}
        for row in new:
            _place(row, open_, terms)
        own.filter(pk__in=[row.pk for row in rows]).update(correlated=True)
        return len(new)


def _open(tenant_id: UUID, *, since: datetime) -> dict[str, IncidentTerms]:
    """The latest incidents that an alert may still join, each with its newest alerts."""
    wanted = {"tenant": tenant_id, "since": since, "incidents": MAX_OPEN, "members": MAX_MEMBERS}
    last: dict[UUID, datetime] = {}
    members: defaultdict[UUID, list[dict[str, str]]] = defaultdict(list)
    for incident_id, last_at, labels in rows_of(_OPEN, wanted):
        last[incident_id] = last_at
        members[incident_id].append(json.loads(labels))  # Django leaves JSON of raw statements as text
    return {
        str(one): IncidentTerms(str(one), from_datetime(at), tuple(members[one])) for one, at in last.items()
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
