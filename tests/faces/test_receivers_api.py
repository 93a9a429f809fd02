"""Receivers over REST: faults at their fields, secrets that stay, previews and tests."""

from __future__ import annotations

import pytest

from rules.models import OutboxMessage, Receiver
from rules.services.trying import PATIENCE_S
from tests.factories.rows import NOON, make_receiver, make_transition

PAGES = {"name": "pages", "kind": "pagerduty", "config": {}, "secrets": {"routing_key": "k" * 32}}
AM = {"name": "am", "kind": "alertmanager", "config": {"url": "https://am.example.org"}}


def make(client, body):
    answer = client.post("/api/receivers/", body, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"config": {"region": "mars"}}, "config.region", id="unknown value"),
        pytest.param({"config": {"colour": "red"}}, "config.colour", id="unknown setting"),
        pytest.param({"config": {"title": "{{ .A"}}, "config.title", id="malformed template"),
        pytest.param({"secrets": {}}, "secrets.routing_key", id="no secret"),
    ],
)
def test_what_does_not_fit_the_kind_is_refused_at_its_field(alice, acme, values, field):
    answer = alice.post("/api/receivers/", PAGES | values, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not Receiver.objects.for_tenant(acme).exists()


def test_secrets_are_not_sent_to_another_url(alice, acme):
    made = make(alice, AM | {"secrets": {"bearer_token": "t"}})
    path = f"/api/receivers/{made['id']}/"
    alice.patch(path, {"config": AM["config"] | {"firing_for_s": 3600}}, format="json")
    assert Receiver.objects.for_tenant(acme).get().secrets == {"bearer_token": "t"}

    answer = alice.patch(path, {"config": {"url": "https://evil.example.org"}}, format="json")
    assert answer.status_code == 200
    assert Receiver.objects.for_tenant(acme).get().secrets == {}


def test_a_preview_shows_what_would_be_sent(alice, acme):
    make_transition(acme, annotations={"summary": "db1 is down"}, at=NOON)
    made = make(alice, PAGES | {"config": {"title": "{{ .CommonLabels.instance }}!"}})
    answer = alice.post(f"/api/receivers/{made['id']}/preview/")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["to"] == "POST https://events.pagerduty.com/v2/enqueue"
    assert '"summary": "db1:9100!"' in shown["body"]
    assert "kkkk" not in shown["body"]
    assert not OutboxMessage.objects.for_tenant(acme).exists()


def test_a_draft_can_be_previewed_and_is_not_saved(alice, acme):
    transition = make_transition(acme)
    body = PAGES | {"alert": str(transition.alert_id)}
    answer = alice.post("/api/receivers/preview/", body, format="json")
    assert answer.status_code == 200
    assert "HostDown" in answer.json()["body"]
    assert not Receiver.objects.for_tenant(acme).exists()


def test_without_a_past_alert_the_answer_says_so(alice, acme):
    answer = alice.post("/api/receivers/preview/", PAGES, format="json")
    assert (answer.status_code, answer.json()["title"]) == (409, "receiver.no_past_alert")


def test_a_test_that_no_worker_delivers_is_under_way(alice, acme, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("rules.api.trying.sleep", waited.append)
    receiver = make_receiver(acme)
    answer = alice.post(f"/api/receivers/{receiver.pk}/test/")
    assert answer.status_code == 200
    assert answer.json()["status"] == "due"
    assert sum(waited) == pytest.approx(PATIENCE_S)
    message = OutboxMessage.objects.for_tenant(acme).get()
    assert (message.reason, str(message.pk)) == ("test", answer.json()["message"])


@pytest.mark.parametrize("path", ["preview", "test"])
def test_viewers_and_outsiders_try_nothing(bob, charlie, acme, path):
    receiver = make_receiver(acme)
    assert bob.post(f"/api/receivers/{receiver.pk}/{path}/").status_code == 403
    assert charlie.post(f"/api/receivers/{receiver.pk}/{path}/").status_code == 404
    assert not OutboxMessage.objects.for_tenant(acme).exists()
