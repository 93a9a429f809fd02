"""The smallest valid rows. Each takes what a test cares about and makes up the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from alertsite.tenancy.models import Tenant, User
from alertsite.tenancy.services import create_tenant
from rules.models import Receiver, Rule, RuleGroup
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
