"""What a message says: the alerts it tells of, as its receiver is given them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.conf import settings

from rules.models import AlertTransition, OutboxMessage, ToldAlert
from rules.notify.notification import FIRING, AlertNotice, Notification
from rules.services.links import action_links

MAX_ALERTS: Final = 100
"""Alerts a notification lists; it says how many more there are."""


def notification_of(message: OutboxMessage) -> Notification:
    """What the receiver is told. Alerts that fire come first, the oldest first."""
    told = ToldAlert.objects.for_tenant(message.tenant_id).filter(message=message)
    total = told.count()
    rows = told.select_related("transition").order_by("transition__state", "transition__at", "pk")[
        :MAX_ALERTS
    ]
    alerts = tuple(notice_of(row.transition) for row in rows)
    return Notification(
        idempotency_key=message.idempotency_key,
        trace_id=message.pk.hex,
        tenant=message.tenant.slug,
        receiver=message.receiver.name,
        group_key=message.group_key,
        generation=message.generation,
        reason=message.reason,
        group_labels=message.group_labels,
        alerts=alerts,
        url=f"{settings.PUBLIC_URL}/admin/rules/outboxmessage/{message.pk}/change/",
        truncated=total - len(alerts),
        actions=action_links(message) if any(alert.state == FIRING for alert in alerts) else {},
    )


def notice_of(transition: AlertTransition) -> AlertNotice:
    """One alert as it was when it changed."""
    return AlertNotice(
        alert_id=str(transition.alert_id),
        state=transition.state,
        labels=transition.labels,
        annotations=transition.annotations,
        value=transition.value,
        starts_at=_rfc3339(transition.fired_at or transition.at),
        at=_rfc3339(transition.at),
        late_by_s=float(transition.trace.get("lateness_s", 0.0)),
        url=f"{settings.PUBLIC_URL}/admin/rules/alerttransition/{transition.pk}/change/",
        fingerprint=f"{transition.fingerprint or 0:016x}",
    )


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat()
