"""Previews made from real past alerts, and tests that go out like any other message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertTransition, OutboxMessage, Receiver
from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.receivers.registry import InvalidReceiver, ReceiverRegistry
from rules.services import tracing
from rules.services.delivery import claim_due_messages, deliver
from rules.services.trying import NoPastAlert, await_outcome, preview, send_test
from tests.factories.rows import AUTHOR, NOON, make_receiver, make_tenant, make_transition
from tests.fakes.clock import FakeClock
from tests.fakes.receiver import FakeKind

SLACK = {"kind": "slack", "config": {"channel": "C1"}, "secrets": {"token": "xoxb-nobody-may-see"}}


@pytest.fixture
def tenant(db: None) -> Iterator[Tenant]:
    with platform_scope():
        yield make_tenant()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


def change(tenant: Tenant, name: str, minutes: int = 0, **values: object) -> AlertTransition:
    at = NOON - timedelta(minutes=minutes)
    return make_transition(tenant, labels={"alertname": name}, at=at, **values)


def test_a_preview_shows_the_last_alert_and_no_secret(tenant):
    change(tenant, "Older", 5)
    change(tenant, "Newer", 1, annotations={"summary": "really"})
    change(tenant, "Waiting", state="pending")
    change(tenant, "Canary", origin="platform")
    shown = preview(make_receiver(tenant, **SLACK), now=NOON)
    assert "Newer" in shown.body
    assert "really" in shown.body
    assert "Older" not in shown.body
    assert "Waiting" not in shown.body
    assert "Canary" not in shown.body
    assert "xoxb" not in str(shown)
    assert not OutboxMessage.objects.for_tenant(tenant).exists()


def test_a_preview_shows_the_alert_that_is_asked_for(tenant):
    older = change(tenant, "Older", 5)
    change(tenant, "Newer", 1)
    shown = preview(make_receiver(tenant, **SLACK), now=NOON, alert_id=older.alert_id)
    assert "Older" in shown.body


def test_a_preview_names_the_templates_that_fail(tenant):
    change(tenant, "A")
    values = SLACK | {"config": {"channel": "C1", "title": "{{ .Nope }}"}}
    (fault,) = preview(make_receiver(tenant, **values), now=NOON).faults
    assert "`title`" in fault


def test_without_a_past_alert_there_is_nothing_to_show(tenant):
    receiver = make_receiver(tenant)
    change(make_tenant("other"), "Theirs")
    with pytest.raises(NoPastAlert, match="no alert of this tenant has fired yet"):
        preview(receiver, now=NOON)
    with pytest.raises(NoPastAlert, match="has never fired in this tenant"):
        preview(receiver, now=NOON, alert_id=uuid4())


def test_a_preview_of_a_bad_draft_is_refused_at_its_field(tenant):
    draft = Receiver(tenant=tenant, name="draft", kind="slack", config={"text": "{{ if }}"})
    with pytest.raises(InvalidReceiver) as caught:
        preview(draft, now=NOON)
    assert list(caught.value.errors) == ["config.text"]


def send_due(clock: FakeClock, kind: FakeKind) -> None:
    claimed = [(claim.message_id, claim.fencing_token) for claim in claim_due_messages(now=clock.now())]
    deliver(claimed, clock, registry=ReceiverRegistry([kind]), random=Random(1))


def test_a_test_tells_of_the_last_alert_and_says_that_it_is_one(tenant, clock):
    kind = FakeKind()
    real = change(tenant, "HostDown")
    send_test(make_receiver(tenant, kind="fake"), AUTHOR)
    send_due(clock, kind)
    (sent,) = kind.sent
    assert sent.title == "[TEST] [FIRING] HostDown"
    assert [alert.alert_id for alert in sent.alerts] == [str(real.alert_id)]
    assert sent.actions == {}


def test_a_test_without_a_past_alert_makes_one_up(tenant, clock):
    kind = FakeKind()
    send_test(make_receiver(tenant, kind="fake", name="ops"), AUTHOR)
    send_due(clock, kind)
    (sent,) = kind.sent
    (alert,) = sent.alerts
    assert sent.title == "[TEST] [FIRING] Test"
    assert alert.annotations["summary"] == "This is a test of the receiver ops. Nothing is wrong."


def test_a_test_does_not_count_as_telling_of_the_alert(tenant, clock):
    real = change(tenant, "HostDown")
    send_test(make_receiver(tenant, kind="fake"), AUTHOR)
    send_due(clock, FakeKind())
    assert tracing.undelivered(tenant.pk, before=NOON + timedelta(minutes=1)) == [real]


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        pytest.param(None, "delivered", "The test arrived: taken 1.", id="arrives"),
        pytest.param(
            DeliveryFailed("HTTP 503"),
            "due",
            "The test has not arrived yet and is tried again: HTTP 503.",
            id="fails for now",
        ),
        pytest.param(
            DeliveryRefused("HTTP 404"), "dead", "The test did not arrive: HTTP 404.", id="is refused"
        ),
    ],
)
def test_what_became_of_a_test_is_awaited(tenant, clock, outcome, status, words):
    message = send_test(make_receiver(tenant, kind="fake"), AUTHOR)
    kind = FakeKind([outcome] if outcome else [])
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        send_due(clock, kind)

    found = await_outcome(message, pause)
    assert (found.status, found.in_words, len(pauses)) == (status, words, 1)


def test_a_test_that_nobody_delivers_is_under_way(tenant):
    pauses: list[float] = []
    found = await_outcome(send_test(make_receiver(tenant), AUTHOR), pauses.append)
    assert found.status == "due"
    assert "under way" in found.in_words
    assert sum(pauses) == pytest.approx(3.0)
