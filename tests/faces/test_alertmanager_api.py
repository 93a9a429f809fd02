"""Alertmanager's API: what Prometheus sends and amtool asks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.models import AlertInstance, AlertTransition, Silence
from tests.factories.notifying import make_route
from tests.factories.rows import NOON

ALERTS = "/alertmanager/api/v2/alerts"
SILENCES = "/alertmanager/api/v2/silences"
LABELS = {"alertname": "HostDown", "instance": "db1:9100"}


def silence(**values):
    return {
        "matchers": [{"name": "instance", "value": "db1:9100", "isRegex": False, "isEqual": True}],
        "startsAt": (NOON - timedelta(hours=1)).isoformat(),
        "endsAt": (NOON + timedelta(days=3650)).isoformat(),
        "createdBy": "mallory",
        "comment": "works",
    } | values


def test_alerts_are_taken_listed_and_ended(alice, acme):
    make_route(acme)
    sent = {"labels": LABELS, "annotations": {"summary": "down"}, "generatorURL": "http://prom/graph"}
    assert alice.post(ALERTS, [sent], format="json").status_code == 200
    (alert,) = alice.get(ALERTS).json()
    assert (alert["labels"], alert["annotations"]) == (LABELS, {"summary": "down"})
    assert alert["generatorURL"] == "http://prom/graph"
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []}
    assert len(alert["receivers"]) == 1
    over = sent | {"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z"}
    assert alice.post(ALERTS, [over], format="json").status_code == 200
    assert alice.get(ALERTS).json() == []
    states = AlertTransition.objects.for_tenant(acme).order_by("at").values_list("state", flat=True)
    assert list(states) == ["firing", "resolved"]


def test_what_is_not_valid_is_named_and_the_rest_is_taken(alice, acme):
    answer = alice.post(ALERTS, [{"labels": {}}, {"labels": LABELS}, {"labels": {"a-b": "1"}}], format="json")
    assert answer.status_code == 400
    assert "alert 0: an alert needs at least one label" in answer.json()
    assert "alert 2: label name 'a-b'" in answer.json()
    assert AlertInstance.objects.for_tenant(acme).count() == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"{", "no JSON", id="no JSON"),
        pytest.param(b"{}", "list of at most", id="no list"),
        pytest.param(b"[1]", "an alert is an object", id="no object"),
        pytest.param(b'[{"labels": {"a": 1}}]', "labels is an object of texts", id="a label that is no text"),
        pytest.param(b'[{"labels": {"a": "1"}, "endsAt": "soon"}]', "endsAt is 'soon'", id="no moment"),
        pytest.param(
            b'[{"labels":{"a":"1"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]',
            "is before startsAt",
            id="ends before it starts",
        ),
    ],
)
def test_a_bad_body_is_refused_with_the_reason(alice, acme, body, reason):
    answer = alice.post(ALERTS, body, content_type="application/json")
    assert answer.status_code == 400
    assert reason in answer.json()
    assert not AlertInstance.objects.for_tenant(acme).exists()


def test_alerts_are_filtered(alice, acme):
    alice.post(ALERTS, [{"labels": LABELS | {"n": str(number)}} for number in range(3)], format="json")
    assert len(alice.get(ALERTS, {"filter": 'n="1"'}).json()) == 1
    assert len(alice.get(ALERTS, {"filter": ['n=~"1|2"', "alertname=HostDown"]}).json()) == 2
    assert alice.get(ALERTS, {"filter": "n=~("}).status_code == 400


def test_a_silence_is_the_credentials_and_covers_alerts(alice, acme):
    alice.post(ALERTS, [{"labels": LABELS}], format="json")
    made = alice.post(SILENCES, silence(), format="json").json()["silenceID"]
    (listed,) = alice.get(SILENCES).json()
    assert (listed["id"], listed["createdBy"], listed["status"]) == (made, "alice", {"state": "active"})
    assert alice.get(ALERTS).json()[0]["status"]["silencedBy"] == [made]
    assert alice.get(ALERTS, {"silenced": "false"}).json() == []
    one = f"/alertmanager/api/v2/silence/{made}"
    assert alice.get(one).json()["comment"] == "works"
    assert alice.delete(one).status_code == 200
    assert alice.get(one).json()["status"] == {"state": "expired"}
    assert alice.get(ALERTS).json()[0]["status"]["state"] == "active"


def test_a_changed_silence_that_covers_others_is_a_new_one(alice, acme):
    made = alice.post(SILENCES, silence(), format="json").json()["silenceID"]
    longer = silence(id=made, endsAt=(NOON + timedelta(days=4000)).isoformat())
    assert alice.post(SILENCES, longer, format="json").json()["silenceID"] == made
    other = silence(id=made, matchers=[{"name": "job", "value": "a|b", "isRegex": True}])
    assert alice.post(SILENCES, other, format="json").json()["silenceID"] != made
    states = {row["id"]: row["status"]["state"] for row in alice.get(SILENCES).json()}
    assert states[made] == "expired"
    assert Silence.objects.for_tenant(acme).get(pk=made).ends_at < NOON + timedelta(days=3650)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"matchers": []}, id="no matchers"),
        pytest.param({"matchers": "all"}, id="matchers that are no list"),
        pytest.param({"matchers": [{"name": "a"}]}, id="a matcher without a value"),
        pytest.param({"comment": ""}, id="no comment"),
        pytest.param({"endsAt": "2020-01-01T00:00:00Z"}, id="over already"),
        pytest.param({"startsAt": None}, id="no start"),
    ],
)
def test_a_silence_that_does_not_fit_is_refused(alice, acme, values):
    assert alice.post(SILENCES, silence(**values), format="json").status_code == 400
    assert not Silence.objects.for_tenant(acme).exists()


def test_groups_receivers_and_status(alice, acme):
    root = make_route(acme, group_by=["alertname"])
    alice.post(ALERTS, [{"labels": LABELS | {"n": str(number)}} for number in range(2)], format="json")
    (group,) = alice.get(f"{ALERTS}/groups").json()
    assert (group["labels"], len(group["alerts"])) == ({"alertname": "HostDown"}, 2)
    assert group["receiver"] == {"name": root.receiver.name}
    assert alice.get("/alertmanager/api/v2/receivers").json() == [{"name": root.receiver.name}]
    status = alice.get("/alertmanager/api/v2/status").json()
    assert set(status) == {"cluster", "versionInfo", "config", "uptime"}
    assert f"receiver: {root.receiver.name}" in status["config"]["original"]


def test_an_unknown_silence_is_not_found(alice, acme):
    unknown = "/alertmanager/api/v2/silence/00000000-0000-0000-0000-000000000000"
    assert (alice.get(unknown).status_code, alice.delete(unknown).status_code) == (404, 404)
    assert alice.put(SILENCES).status_code == 405
