"""What a message says: the alerts it tells of, as its receiver is given them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from alertsite.tenancy.selecting import Selection, rows_of
from rules.models import AlertTransition, Origin, OutboxMessage
from rules.notify.notification import FIRING, RESOLVED, TEST, AlertNotice, Notification
from rules.services.links import action_links

MAX_ALERTS: Final = 100
"""Alerts a notification lists; it says how many more there are."""

_CHANGE: Final = Selection(AlertTransition)
_TOLD: Final = f"""
SELECT {_CHANGE.of("numbered")}, message_id, total FROM (
    SELECT {_CHANGE.of("change")}, told.message_id, count(*) OVER (PARTITION BY told.message_id) AS total,
        row_number() OVER (PARTITION BY told.message_id ORDER BY change.state, change.at, told.id) AS place
    FROM rules_toldalert told JOIN rules_alerttransition change ON change.id = told.transition_id
    WHERE told.message_id = ANY(%(messages)s)
) AS numbered
WHERE place <= %(limit)s ORDER BY message_id, place
"""  # noqa: S608 (names of our own columns)


@dataclass(slots=True)
class Told:
    """What a message tells: the first `MAX_ALERTS` changes of state, and how many there are."""

    changes: list[AlertTransition] = field(default_factory=list)
    total: int = 0


def told_by(messages: Iterable[OutboxMessage]) -> Mapping[UUID, Told]:
    """What each message tells. Alerts that fire come first, the oldest first. One statement."""
    found: defaultdict[UUID, Told] = defaultdict(Told)
    wanted = {"messages": [message.pk for message in messages], "limit": MAX_ALERTS}
    for row in rows_of(_TOLD, wanted):
        message_id, total = row[_CHANGE.width :]
        told = found[message_id]
        told.changes.append(_CHANGE.instance(row))
        told.total = total
    return found


def notification_of(message: OutboxMessage, told: Told) -> Notification:
    """What the receiver is told."""
    alerts = tuple(notice_of(change) for change in told.changes)
    if message.reason == TEST:
        alerts = (example_for(message),)
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
        truncated=max(0, told.total - len(alerts)),
        actions=_actions(message, alerts),
    )


def _actions(message: OutboxMessage, alerts: tuple[AlertNotice, ...]) -> dict[str, str]:
    """Nothing can be done about a test, or about what is over."""
    if message.reason == TEST or all(alert.state != FIRING for alert in alerts):
        return {}
    return action_links(message)


def example_for(message: OutboxMessage) -> AlertNotice:
    """What a test tells of: the tenant's last alert, or one made up where there was none.

    No row ties them: that an alert was used in a test must not count as telling of it.
    """
    last = last_change(message.tenant_id, before=message.created_at)
    if last is not None:
        return notice_of(last)
    summary = f"This is a test of the receiver {message.receiver.name}. Nothing is wrong."
    at = _rfc3339(message.created_at)
    return AlertNotice(
        alert_id=str(message.pk),
        state=FIRING,
        labels={"alertname": "Test", "severity": "info"},
        annotations={"summary": summary},
        value=None,
        starts_at=at,
        at=at,
        late_by_s=0.0,
        url=f"{settings.PUBLIC_URL}/admin/rules/outboxmessage/{message.pk}/change/",
        fingerprint=f"{0:016x}",
    )


def last_change(tenant_id: UUID, *, before: datetime, alert_id: UUID | None = None) -> AlertTransition | None:
    """The last time an alert of the tenant, or this one, began to fire or ended. None if it never did.

    The platform's own, such as canaries, are not meant.
    """
    changes = AlertTransition.objects.for_tenant(tenant_id).filter(
        state__in=[FIRING, RESOLVED], at__lte=before
    )
    changes = changes.exclude(origin=Origin.PLATFORM)
    if alert_id is not None:
        changes = changes.filter(alert_id=alert_id)
    return changes.order_by("-at", "pk").first()


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
