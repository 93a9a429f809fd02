"""The smallest valid rows. Each takes what a test cares about and makes up the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from alertsite.tenancy.models import Tenant, User
from alertsite.tenancy.services import create_tenant
from rules.models import AlertTransition, OutboxMessage, Receiver, Rule, RuleGroup, ToldAlert
from rules.services.authoring import Author, RuleDraft, save_group, save_rule

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AUTHOR = Author("alice", NOON)


def make_user(name: str = "alice", **values: Any) -> User:
    return User.objects.create_user(username=name, password="correct horse battery", **values)


def make_tenant(slug: str = "acme", **values: Any) -> Tenant:
    return create_tenant(slug, slug.title(), **values)


def make_group(
    tenant: Tenant, name: str = "group", *, interval_s: int = 15, author: Author = AUTHOR
) -> RuleGroup:
    return save_group(RuleGroup(tenant=tenant, name=name, interval_s=interval_s), author)


def make_rule(group: RuleGroup, author: Author = AUTHOR, **draft: Any) -> Rule:
    values = {"name": "HostDown", "expr": "up == 0"} | draft
    return save_rule(group, RuleDraft(**values), author)


def make_receiver(tenant: Tenant, **values: Any) -> Receiver:
    return Receiver.objects.create(tenant=tenant, **{"name": f"log-{uuid4()}", "kind": "log"} | values)


def make_transition(tenant: Tenant, **values: Any) -> AlertTransition:
    row = {
        "alert_id": uuid4(),
        "rule_version": 1,
        "previous": AlertTransition.State.PENDING,
        "state": AlertTransition.State.FIRING,
        "at": NOON,
        "labels": {"alertname": "HostDown", "instance": "db1:9100"},
        "value": 0.0,
        "trace": {"lateness_s": 1.5},
    } | values
    return AlertTransition.objects.for_tenant(tenant).create(tenant=tenant, **row)


def make_message(
    receiver: Receiver, transition: AlertTransition | None = None, **values: Any
) -> OutboxMessage:
    transition = transition or make_transition(receiver.tenant)
    row = {
        "idempotency_key": f"{transition.pk}:{receiver.pk}",
        "created_at": transition.at,
        "next_attempt_at": transition.at,
        "leased_until": transition.at,
    } | values
    messages = OutboxMessage.objects.for_tenant(receiver.tenant_id)
    message = messages.create(tenant=receiver.tenant, receiver=receiver, **row)
    ToldAlert.objects.for_tenant(receiver.tenant_id).create(
        tenant=receiver.tenant, message=message, transition=transition, alert_id=transition.alert_id
    )
    return message
