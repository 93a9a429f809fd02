"""Who is told, by REST: the tree, intervals, inhibition, silences, and all of it as Alertmanager's file."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from rules.models import InhibitionRule, NotificationSettings, Receiver, Route, Silence
from rules.services import correlating
from tests.factories.notifying import make_route, post
from tests.factories.rows import NOON, make_receiver

FILE = """
global: {resolve_timeout: 2m}
route:
  receiver: team
  group_by: [alertname]
  group_wait: 10s
  routes:
    - matchers: ['severity="critical"']
      receiver: pager
      continue: true
      mute_time_intervals: [nights]
    - match_re: {service: "a|b"}
      group_by: ["..."]
receivers:
  - name: team
    email_configs: [{to: "a@acme.example, b@acme.example"}]
  - name: pager
    webhook_configs: [{url: "https://one.example/"}, {url: "https://two.example/"}]
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [host]
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}]}]
"""


def test_a_tree_is_built_node_by_node(alice, acme):
    receiver = make_receiver(acme)
    root = alice.post("/api/routes/", {"receiver": str(receiver.pk), "group_wait": "0s"}, format="json")
    assert root.status_code == 201, root.content
    child = {"parent": root.json()["id"], "matchers": ['team="db"'], "continue": True, "group_by": ["..."]}
    made = alice.post("/api/routes/", child, format="json").json()
    assert (made["continue"], made["group_by"], made["receiver"]) == (True, ["..."], None)
    assert (
        alice.patch(f"/api/routes/{made['id']}/", {"group_interval": "1m"}, format="json").status_code == 200
    )
    assert len(alice.get("/api/routes/").json()["results"]) == 2
    assert alice.delete(f"/api/routes/{root.json()['id']}/").status_code == 204
    assert not Route.objects.for_tenant(acme).exists()
    assert NotificationSettings.objects.for_tenant(acme).get().revision == 4


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"matchers": ["a=~("]}, "matchers", id="a matcher that is none"),
        pytest.param({"mute_time_intervals": ["nowhere"]}, "mute_time_intervals", id="an unknown interval"),
        pytest.param({"group_by": ["...", "a"]}, None, id="all labels and one"),
        pytest.param({"parent": None}, None, id="a second root"),
        pytest.param({"group_interval": 0}, "group_interval_s", id="no interval at all"),
    ],
)
def test_a_route_that_does_not_fit_is_refused(alice, acme, values, field):
    root = make_route(acme)
    body = {"parent": str(root.pk), "receiver": str(root.receiver_id)} | values
    answer = alice.post("/api/routes/", body, format="json")
    assert answer.status_code == 400, answer.content
    assert field is None or field in answer.json()["errors"]
    assert Route.objects.for_tenant(acme).count() == 1


def test_a_receiver_that_a_route_leads_to_stays(alice, acme):
    root = make_route(acme)
    answer = alice.delete(f"/api/receivers/{root.receiver_id}/")
    assert (answer.status_code, answer.json()["title"]) == (409, "receiver.in_use")
    assert Receiver.objects.for_tenant(acme).exists()


def test_alertmanagers_file_goes_in_and_comes_out_the_same(alice, acme):
    answer = alice.put("/api/routes/alertmanager/", {"content": FILE}, format="json")
    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "routes": 3,
        "receivers": ["team", "pager", "pager (webhook 2)"],
        "not_taken": [],
    }
    assert NotificationSettings.objects.for_tenant(acme).get().resolve_timeout_s == 120
    first = alice.get("/api/routes/alertmanager/").json()["content"]
    assert "https://two.example/" in first
    again = alice.put("/api/routes/alertmanager/", {"content": first}, format="json")
    assert again.json() == {"routes": 3, "receivers": [], "not_taken": []}
    assert alice.get("/api/routes/alertmanager/").json()["content"] == first


def test_a_faulty_file_is_refused_with_the_place_and_nothing_is_applied(alice, acme):
    alice.put("/api/routes/alertmanager/", {"content": FILE}, format="json")
    faulty = FILE.replace("receiver: pager\n", "receiver: nobody\n")
    answer = alice.put("/api/routes/alertmanager/", {"content": faulty}, format="json")
    assert answer.status_code == 400
    assert "9:17" in answer.json()["detail"]
    assert Route.objects.for_tenant(acme).count() == 3


def test_what_has_no_counterpart_is_said(alice, acme):
    text = FILE.replace(
        'webhook_configs: [{url: "https://one.example/"}, {url: "https://two.example/"}]',
        "webhook_configs: [{url_file: /run/secret}]",
    )
    report = alice.put("/api/routes/alertmanager/", {"content": text}, format="json").json()
    assert report["not_taken"] == ["receiver pager, webhook: url is not given"]
    assert not Receiver.objects.for_tenant(acme).get(name="pager").enabled


def test_intervals_and_inhibition_rules(alice, acme):
    hours = [{"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}]
    made = alice.post("/api/time-intervals/", {"name": "office", "intervals": hours}, format="json")
    assert made.status_code == 201, made.content
    bad = {"name": "bad", "intervals": [{"weekdays": ["someday"]}]}
    assert alice.post("/api/time-intervals/", bad, format="json").status_code == 400
    make_route(acme)
    root = Route.objects.for_tenant(acme).get()
    used = {"parent": str(root.pk), "mute_time_intervals": ["office"]}
    assert alice.post("/api/routes/", used, format="json").status_code == 201
    assert alice.delete(f"/api/time-intervals/{made.json()['id']}/").status_code == 400
    rule = {"source_matchers": ['a="1"'], "target_matchers": ['b="2"'], "equal": ["host"]}
    assert alice.post("/api/inhibition-rules/", rule, format="json").status_code == 201
    empty = rule | {"source_matchers": []}
    assert alice.post("/api/inhibition-rules/", empty, format="json").status_code == 400
    assert InhibitionRule.objects.for_tenant(acme).count() == 1


def test_a_silence_recurs_needs_approval_and_ends(alice, bob, acme):
    body = {
        "matchers": ['team="db"'],
        "starts_at": "2026-01-03T22:00:00Z",
        "ends_at": "2099-01-01T00:00:00Z",
        "recurrence": "FREQ=WEEKLY;BYDAY=SA",
        "duration_s": 7200,
        "timezone": "Europe/Paris",
        "comment": "backups",
        "kind": "maintenance",
        "ticket": "OPS-1",
        "needs_approval": True,
    }
    made = alice.post("/api/silences/", body, format="json")
    assert (made.status_code, made.json()["author"]) == (201, "alice")
    url = f"/api/silences/{made.json()['id']}"
    assert alice.post(f"{url}/approve/").status_code == 400
    assert bob.post(f"{url}/approve/").status_code == 403
    assert (
        alice.patch(f"{url}/", {"comment": "weekly backups"}, format="json").json()["id"] == made.json()["id"]
    )
    assert alice.post(f"{url}/expire/").status_code == 200
    assert alice.delete(f"{url}/").status_code == 405
    assert Silence.objects.for_tenant(acme).count() == 1


def test_settings_have_defaults_and_bounds(alice, acme):
    assert alice.get("/api/notification-settings/").json()["resolve_timeout_s"] == 300
    changed = {"damp_flapping": True, "topology": [["service=api", "service=db"]]}
    assert alice.patch("/api/notification-settings/", changed, format="json").json()["damp_flapping"]
    for wrong in ({"resolve_timeout_s": 0}, {"topology": [["api", "db"]]}, {"flapping_changes": 1}):
        assert alice.patch("/api/notification-settings/", wrong, format="json").status_code == 400, wrong


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        pytest.param(
            "slack", {"api_url": "https://hooks.slack.com/services/T/B/x", "channel": "#ops"}, id="slack"
        ),
        pytest.param("pagerduty", {"routing_key": "0123456789abcdef0123456789abcdef"}, id="pagerduty"),
        pytest.param("opsgenie", {"api_key": "0123456789abcdef"}, id="opsgenie"),
        pytest.param("telegram", {"bot_token": "1:a-token", "chat_id": -100}, id="telegram"),
        pytest.param("discord", {"webhook_url": "https://discord.com/api/webhooks/1/x"}, id="discord"),
        pytest.param("msteams", {"webhook_url": "https://acme.example/hook"}, id="msteams"),
        pytest.param(
            "sns",
            {
                "topic_arn": "arn:aws:sns:eu-west-1:123456789012:ops",
                "sigv4": {"region": "eu-west-1", "access_key": "AKIA0123", "secret_key": "0123456789"},
            },
            id="sns",
        ),
    ],
)
def test_receivers_of_every_kind_alertmanager_has_are_taken(alice, acme, kind, settings):
    document = {"route": {"receiver": "one"}, "receivers": [{"name": "one", f"{kind}_configs": [settings]}]}
    answer = alice.put("/api/routes/alertmanager/", {"content": json.dumps(document)}, format="json")
    assert answer.json() == {"routes": 1, "receivers": ["one"], "not_taken": []}, answer.content
    receiver = Receiver.objects.for_tenant(acme).get()
    assert (receiver.kind, receiver.send_resolved) == (kind, kind != "slack")


def test_incidents_show_their_alerts_and_the_reason(alice, acme):
    post(acme, {"n": "1", "service": "db"})
    post(acme, {"n": "2", "service": "db"}, now=NOON + timedelta(seconds=1))
    correlating.correlate_new(now=NOON)
    (incident,) = alice.get("/api/incidents/", {"open": "true"}).json()["results"]
    assert [alert["reason"] for alert in incident["alerts"]] == ["nothing_open", "shared_labels"]
    assert incident["alerts"][1]["evidence"] == "service=db"
    assert alice.get("/api/incidents/", {"open": "false"}).json()["results"] == []
    assert alice.get(f"/api/incidents/{incident['id']}/").json()["title"] == "A"
