"""What people do with alerts by REST: one, many, and the story afterwards."""

from __future__ import annotations

import pytest

from rules.models import AlertAction, AlertInstance, Feedback
from tests.factories.notifying import make_route, post


@pytest.fixture
def alert(acme) -> AlertInstance:
    make_route(acme)
    post(acme, {"n": "1"})
    return AlertInstance.objects.for_tenant(acme).get()


@pytest.mark.parametrize(
    ("what", "values", "field", "expected"),
    [
        pytest.param("acknowledge", {"text": "mine"}, "acknowledged_by", "alice", id="acknowledge"),
        pytest.param("assign", {"assignee": "bob"}, "assignee", "bob", id="assign"),
    ],
)
def test_an_action_changes_the_alert_and_is_kept(alice, acme, alert, what, values, field, expected):
    answer = alice.post(f"/api/alerts/{alert.pk}/{what}/", values, format="json")
    assert (answer.status_code, answer.json()) == (200, {"changed": 1})
    assert alice.get(f"/api/alerts/{alert.pk}/").json()[field] == expected
    (kept,) = alice.get(f"/api/alerts/{alert.pk}/actions/").json()
    assert kept["actor"] == "alice"


def test_snooze_takes_a_duration_and_refuses_the_past(alice, acme, alert):
    url = f"/api/alerts/{alert.pk}/snooze/"
    assert alice.post(url, {"for": "2h"}, format="json").json() == {"changed": 1}
    assert alice.post(url, {}, format="json").status_code == 400
    assert alice.post(url, {"until": "2020-01-01T00:00:00Z"}, format="json").status_code == 400
    assert alice.post(url, {"for": "100d"}, format="json").status_code == 400
    assert alice.post(f"/api/alerts/{alert.pk}/unsnooze/").json() == {"changed": 1}


def test_resolved_by_hand_is_over_for_people(alice, acme, alert):
    assert alice.post(f"/api/alerts/{alert.pk}/resolve/", {"text": "fixed"}, format="json").json() == {
        "changed": 1
    }
    assert alice.post(f"/api/alerts/{alert.pk}/resolve/").json() == {"changed": 0}
    assert alice.get("/alertmanager/api/v2/alerts").json() == []
    story = alice.get(f"/api/alerts/{alert.pk}/trace/").json()
    assert "The alert ended: somebody resolved it by hand." in [entry["text"] for entry in story["entries"]]


def test_many_at_once_by_label_or_by_id(alice, acme):
    make_route(acme)
    post(acme, *({"n": str(number), "team": "db"} for number in range(5)))
    acknowledge = {"action": "acknowledge", "labels": {"team": "db"}}
    assert alice.post("/api/alerts/bulk/", acknowledge, format="json").json() == {"changed": 5}
    ids = [str(pk) for pk in AlertInstance.objects.for_tenant(acme).values_list("pk", flat=True)[:2]]
    comment = {"action": "comment", "alerts": ids, "text": "seen"}
    assert alice.post("/api/alerts/bulk/", comment, format="json").json() == {"changed": 2}
    assert AlertAction.objects.for_tenant(acme).count() == 7


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"action": "acknowledge"}, id="no alerts"),
        pytest.param({"action": "explode", "labels": {"a": "b"}}, id="no such action"),
        pytest.param({"action": "comment", "labels": {"a": "b"}}, id="a comment without a text"),
        pytest.param({"action": "acknowledge", "alerts": ["x"]}, id="no id"),
    ],
)
def test_a_bulk_request_that_does_not_fit_is_refused(alice, acme, body):
    assert alice.post("/api/alerts/bulk/", body, format="json").status_code == 400


def test_feedback_is_one_word_a_person(alice, acme, alert):
    url = f"/api/alerts/{alert.pk}/feedback/"
    assert alice.post(url, {"verdict": "noise"}, format="json").status_code == 201
    assert alice.post(url, {"verdict": "useful", "comment": "after all"}, format="json").status_code == 201
    assert alice.post(url, {"verdict": "missed"}, format="json").status_code == 400
    assert Feedback.objects.for_tenant(acme).get().verdict == "useful"


def test_the_story_is_told_in_the_language_asked_for(alice, acme, alert):
    english = alice.get(f"/api/alerts/{alert.pk}/trace/").json()
    french = alice.get(f"/api/alerts/{alert.pk}/trace/", {"language": "fr"}).json()
    assert english["entries"][0]["text"].startswith("The alert began to fire")
    assert french["entries"][0]["text"].startswith("L'alerte s'est déclenchée")
    assert [entry["kind"] for entry in english["entries"]] == ["transition.firing", "routed"]


def test_nobody_acts_on_alerts_of_others_or_of_nobody(charlie, alice, acme, alert):
    assert charlie.post(f"/api/alerts/{alert.pk}/acknowledge/").status_code == 404
    unknown = "/api/alerts/00000000-0000-0000-0000-000000000000"
    assert alice.post(f"{unknown}/acknowledge/").status_code == 404
    assert alice.get(f"{unknown}/trace/").status_code == 404
    assert alice.get("/api/deliveries/undelivered/").json() == []
