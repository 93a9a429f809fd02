"""What whoever got a message does with its alerts by a link, without a login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.models import AlertInstance, AlertTransition, OutboxMessage, ToldAlert
from rules.services.authoring import Author
from rules.services.handling import MAX_AT_ONCE, Handler
from rules.services.links import InvalidLink, read_link

SNOOZE: Final = timedelta(hours=1)
MAX_SHOWN: Final = 100
FEEDBACK: Final = ("useful", "noise")


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert of the message, as it is now."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    """`firing` or `resolved`."""

    @property
    def name(self) -> str:
        """Its `alertname`."""
        return self.labels.get("alertname", "alert")


@dataclass(frozen=True, slots=True)
class LinkedMessage:
    """What a link is about: the alerts of a message, and one thing to do with them."""

    tenant_id: UUID
    receiver_name: str
    action: str
    alert_ids: tuple[UUID, ...]

    @property
    def actor(self) -> str:
        """Who acts: whoever was told by this receiver."""
        return f"link:{self.receiver_name}"[:200]


def open_link(token: str) -> LinkedMessage:
    """What a link is about.

    Raises
    ------
    InvalidLink
        If it is none of ours, too old, or its message is gone.
    """
    link = read_link(token)
    with platform_scope():
        message = OutboxMessage.across_tenants.select_related("receiver").filter(pk=link.message_id).first()
    if message is None:
        raise InvalidLink("gone", "the message of this link is gone")
    with tenant_scope(message.tenant_id):
        told = ToldAlert.objects.for_tenant(message.tenant_id).filter(message=message)
        alerts = told.order_by("alert_id").values_list("alert_id", flat=True).distinct()[:MAX_AT_ONCE]
        return LinkedMessage(message.tenant_id, message.receiver.name, link.action, tuple(alerts))


def shown_alerts(linked: LinkedMessage) -> list[ShownAlert]:
    """The alerts of the message as they are now, at most `MAX_SHOWN`, those that fire first."""
    with tenant_scope(linked.tenant_id):
        ids = linked.alert_ids[:MAX_SHOWN]
        firing = AlertInstance.objects.for_tenant(linked.tenant_id).filter(
            pk__in=ids, state="firing", closed_at=None
        )
        alive = set(firing.values_list("pk", flat=True))
        rows = AlertTransition.objects.for_tenant(linked.tenant_id).filter(alert_id__in=ids)
        newest = rows.order_by("alert_id", "-at").distinct("alert_id")
        shown = [
            ShownAlert(row.labels, row.annotations, "firing" if row.alert_id in alive else "resolved")
            for row in newest
        ]
    return sorted(shown, key=lambda one: (one.state, one.name))


def act(linked: LinkedMessage, *, now: datetime) -> int:
    """Do what the link says. How many alerts changed."""
    with tenant_scope(linked.tenant_id):
        handler = Handler(linked.tenant_id, Author(linked.actor, now))
        if linked.action in FEEDBACK:
            for alert_id in linked.alert_ids[:MAX_SHOWN]:
                handler.judge(alert_id, linked.action)
            return len(linked.alert_ids[:MAX_SHOWN])
        if linked.action == "snooze":
            return handler.snooze(linked.alert_ids, now + SNOOZE)
        if linked.action == "resolve":
            return handler.resolve(linked.alert_ids)
        return handler.acknowledge(linked.alert_ids)
