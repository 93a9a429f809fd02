"""Routing trees, alerts of other systems, and a flush of what is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from alertsite.core.labels import label_set
from alertsite.tenancy.models import Tenant
from rules.models import Origin, OutboxMessage, Receiver, Route, ToldAlert
from rules.services import flushing, intake, routes
from rules.services.authoring import Author
from rules.services.flushing import FlushSummary
from rules.services.intake import Posted, Sender, Taken
from tests.factories.rows import AUTHOR, NOON, make_receiver
from tests.fakes.clock import FakeClock


def flush_due(clock: FakeClock) -> FlushSummary:
    """Flush every group that is due."""
    return flushing.flush(flushing.claim_due_groups(now=clock.now()), clock)


def make_route(tenant: Tenant, author: Author = AUTHOR, **values: Any) -> Route:
    """A route; without a parent the root, with a receiver made for it."""
    if "parent" not in values and "receiver" not in values:
        values["receiver"] = make_receiver(tenant)
    return routes.save(Route(tenant=tenant, **values), author)


def post(tenant: Tenant, *alerts: dict[str, str], now: datetime = NOON, **values: Any) -> Taken:
    """Alerts of another system, each as its labels."""
    posted = [Posted(label_set({"alertname": "A"} | labels), **values) for labels in alerts]
    sender = Sender(Origin.FOREIGN, "key:test")
    return intake.take(tenant.pk, posted, sender, now=now, timeout=timedelta(minutes=5))


def told(tenant: Tenant, receiver: Receiver | None = None) -> list[list[str]]:
    """What each message told, in order: `firing 1`, by label `n`."""
    messages = OutboxMessage.objects.for_tenant(tenant).order_by("created_at", "generation")
    if receiver is not None:
        messages = messages.filter(receiver=receiver)
    rows = ToldAlert.objects.for_tenant(tenant).select_related("transition")
    return [sorted(map(_shown, rows.filter(message=message))) for message in messages]


def _shown(row: ToldAlert) -> str:
    labels = row.transition.labels
    return f"{row.transition.state} {labels.get('n', labels['alertname'])}"
