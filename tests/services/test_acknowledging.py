"""Pagers hear of an acknowledgement once it answers for all of the incident they keep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertInstance, OutboxMessage, Receiver
from rules.services import escalation_steps, handling, tracing
from rules.services.authoring import Author
from tests.factories.notifying import flush_due, make_route, post, told
from tests.factories.people import make_person, make_policy
from tests.factories.rows import NOON, make_receiver, make_tenant
from tests.fakes.clock import FakeClock

LATER = NOON + timedelta(days=1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


def pager(tenant: Tenant, name: str = "pager", **values) -> Receiver:
    return make_receiver(tenant, name=name, kind="pagerduty", secrets={"routing_key": "k" * 32}, **values)


def fire(tenant: Tenant, clock: FakeClock, receiver: Receiver, *numbers: str, **route) -> None:
    """Alerts of one group, told to the receiver."""
    make_route(tenant, receiver=receiver, group_by=["alertname"], group_wait_s=0, **route)
    post(tenant, *({"n": number} for number in numbers), ends_at=LATER)
    flush_due(clock)


def acknowledge(tenant: Tenant, clock: FakeClock, *numbers: str) -> None:
    rows = AlertInstance.objects.for_tenant(tenant).filter(labels__n__in=numbers)
    handling.Handler(tenant.pk, Author("bob", clock.now())).acknowledge(
        list(rows.values_list("pk", flat=True))
    )


def owed(tenant: Tenant) -> list[OutboxMessage]:
    rows = OutboxMessage.objects.for_tenant(tenant).filter(reason="acknowledged")
    return list(rows.order_by("receiver__name"))


def test_a_pager_hears_once_that_all_of_its_incident_is_answered(tenant, clock):
    receiver = pager(tenant)
    fire(tenant, clock, receiver, "1", "2")
    acknowledge(tenant, clock, "1")
    assert owed(tenant) == []
    acknowledge(tenant, clock, "1", "2")
    (message,) = owed(tenant)
    first = OutboxMessage.objects.for_tenant(tenant).exclude(pk=message.pk).get()
    assert (message.receiver, message.group_key) == (receiver, first.group_key)
    assert told(tenant)[-1] == ["firing 2"]
    acknowledge(tenant, clock, "1", "2")
    assert len(owed(tenant)) == 1
    (alert,) = message.told.values_list("alert_id", flat=True)
    story = tracing.in_words(tracing.trace(tenant.pk, alert), "en")[0]
    assert any("A message to pager is owed (acknowledged)" in entry["text"] for entry in story)


def test_what_begins_after_it_may_be_acknowledged_again(tenant, clock):
    fire(tenant, clock, pager(tenant), "1", group_interval_s=1)
    acknowledge(tenant, clock, "1")
    clock.advance(seconds=5)
    post(tenant, {"n": "2"}, ends_at=LATER, now=clock.now())
    flush_due(clock)
    acknowledge(tenant, clock, "2")
    assert len(owed(tenant)) == 2


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param("webhook", {"config": {"url": "https://a.example/"}}, id="takes none"),
        pytest.param("pagerduty", {"enabled": False, "secrets": {"routing_key": "k" * 32}}, id="disabled"),
    ],
)
def test_others_are_not_told(tenant, clock, kind, values):
    fire(tenant, clock, make_receiver(tenant, kind=kind, **values), "1")
    acknowledge(tenant, clock, "1")
    assert owed(tenant) == []


def test_what_nobody_was_told_of_is_no_incident_there(tenant, clock):
    make_route(tenant, receiver=pager(tenant), group_by=["alertname"], group_wait_s=60)
    post(tenant, {"n": "1"}, ends_at=LATER)
    acknowledge(tenant, clock, "1")
    assert owed(tenant) == []


def test_a_pager_that_a_step_told_hears_of_it_too(tenant, clock):
    ann = make_person(tenant, "ann")
    ann.receivers.set([pager(tenant, "ann's pager")])
    fire(tenant, clock, pager(tenant), "1", escalation_policy=make_policy(tenant, ("0s", ann)))
    escalation_steps.run_due(now=clock.now())
    acknowledge(tenant, clock, "1")
    assert [message.receiver.name for message in owed(tenant)] == ["ann's pager", "pager"]
