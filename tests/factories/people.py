"""People, policies that tell them, and the steps that are due."""

from __future__ import annotations

from typing import Any

from alertsite.tenancy.models import Tenant
from rules.models import EscalationPolicy, EscalationStep, OnCallSchedule, Person, Receiver
from rules.services import people
from tests.factories.rows import AUTHOR, make_receiver


def make_person(tenant: Tenant, name: str = "ann", *, receivers: list[Receiver] | None = None) -> Person:
    """Somebody with a receiver of their own name."""
    own = [make_receiver(tenant, name=name)] if receivers is None else receivers
    return people.save(Person(tenant=tenant, name=name), AUTHOR, {"receivers": own})


def make_policy(
    tenant: Tenant, *steps: tuple[str, Any], name: str = "policy", **values: Any
) -> EscalationPolicy:
    """Steps as pairs of a delay and whom to tell."""
    document = [{"after": after, "tell": [{_kind(row): str(row.pk)}]} for after, row in steps]
    return people.save(EscalationPolicy(tenant=tenant, name=name, steps=document, **values), AUTHOR)


def make_schedule(tenant: Tenant, *members: Person, name: str = "primary", **values: Any) -> OnCallSchedule:
    """Daily turns from midnight of 1 March 2026; without members, what `values` say."""
    layer = {"members": [str(one.pk) for one in members], "begin": "2026-03-01T00:00:00Z", "rotation": "1d"}
    layers = [layer] if members else []
    return people.save(OnCallSchedule(tenant=tenant, name=name, **{"layers": layers} | values), AUTHOR)


def steps_told(tenant: Tenant) -> list[str]:
    """Whom each step told, in order."""
    return list(EscalationStep.objects.for_tenant(tenant).order_by("at", "pk").values_list("told", flat=True))


def _kind(row: Any) -> str:
    return "schedule" if isinstance(row, OnCallSchedule) else type(row).__name__.lower()
