"""Heartbeats and hooks by REST, and the addresses that need no login."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache

from rules.models import AlertInstance, Heartbeat, InboundHook

MAPPING = {
    "alerts": "$.alerts[*]",
    "alertname": "@.name",
    "status": {"path": "@.state", "firing": ["alerting"], "resolved": ["ok"]},
    "labels": {"host": "@.host"},
}


@pytest.fixture
def heartbeat(alice) -> dict:
    body = {"name": "backup", "period": "1h", "grace": "5m"}
    answer = alice.post("/api/heartbeats/", body, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


@pytest.fixture
def hook(alice) -> dict:
    answer = alice.post("/api/hooks/", {"name": "grafana", "mapping": MAPPING}, format="json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def post(client, path: str, document, **headers):
    return client.post(path, json.dumps(document), content_type="application/json", **headers)


@pytest.mark.parametrize("method", ["get", "head", "post"])
def test_a_job_calls_home_without_a_login(client, acme, heartbeat, method):
    assert getattr(client, method)(heartbeat["path"]).status_code == 200
    row = Heartbeat.objects.for_tenant(acme).get()
    assert (row.last_outcome, (row.due_at - row.last_ping_at).total_seconds()) == ("success", 3900)


def test_start_and_fail_have_addresses_of_their_own(alice, client, acme, heartbeat):
    statuses = []
    for end in ("start", "fail", ""):
        assert client.post(heartbeat["path"] + end).status_code == 200
        statuses.append(alice.get(f"/api/heartbeats/{heartbeat['id']}/").json()["status"])
    assert statuses == ["started", "down", "up"]


def test_a_token_is_shown_once_and_can_be_replaced(alice, client, heartbeat, hook):
    for resource, made in (("heartbeats", heartbeat), ("hooks", hook)):
        assert made["token"] not in alice.get(f"/api/{resource}/").content.decode()
        renewed = alice.post(f"/api/{resource}/{made['id']}/rotate/").json()
        assert client.post(made["path"], "{}", content_type="application/json").status_code == 404
        assert client.post(renewed["path"], "{}", content_type="application/json").status_code in {200, 400}
        changed = alice.patch(f"/api/{resource}/{made['id']}/", {"name": "other"}, format="json")
        assert changed.json()["name"] == "other"
        assert "token" not in changed.json()
        assert alice.delete(f"/api/{resource}/{made['id']}/").status_code == 204


def test_callers_without_a_login_are_limited_by_their_address(client, heartbeat, monkeypatch):
    from alertsite.web.throttling import CredentialThrottle

    monkeypatch.setitem(CredentialThrottle.THROTTLE_RATES, "ping", "2/min")
    answers = [client.get(heartbeat["path"]).status_code for _ in range(3)]
    assert answers == [200, 200, 429]
    cache.clear()


def test_any_json_becomes_alerts_and_ends_them(client, acme, hook):
    begun = {"alerts": [{"name": "Busy", "state": "alerting", "host": "a"}]}
    assert post(client, hook["path"], begun).json() == {"began": 1, "ended": 0, "renewed": 0}
    assert post(client, hook["path"], begun).json() == {"began": 0, "ended": 0, "renewed": 1}
    assert AlertInstance.objects.for_tenant(acme).get().labels == {"alertname": "Busy", "host": "a"}
    over = {"alerts": [{"name": "Busy", "state": "ok", "host": "a"}]}
    assert post(client, hook["path"], over).json() == {"began": 0, "ended": 1, "renewed": 0}


def test_a_document_that_does_not_fit_is_refused_whole_with_the_path(client, acme, hook):
    document = {"alerts": [{"name": "A", "state": "ok"}, {"name": "B", "state": "odd"}]}
    answer = post(client, hook["path"], document)
    assert (answer.status_code, answer.json()["title"]) == (400, "mapping.document")
    assert "alert 1, status: @.state finds 'odd'" in answer.json()["detail"]
    assert AlertInstance.objects.for_tenant(acme).count() == 0


def test_a_dry_run_shows_what_a_document_would_become(alice, acme, hook):
    path = f"/api/hooks/{hook['id']}/try/"
    shown = alice.post(path, {"alerts": [{"name": "A", "state": "alerting"}]}, format="json").json()
    assert [alert["labels"] for alert in shown] == [{"alertname": "A"}]
    assert alice.post(path, {"alerts": [{}]}, format="json").status_code == 400
    assert AlertInstance.objects.for_tenant(acme).count() == 0


def test_a_mapping_that_does_not_read_is_refused_at_its_place(alice):
    body = {"name": "x", "mapping": MAPPING | {"labels": {"host": "@.a["}}}
    answer = alice.post("/api/hooks/", body, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["mapping"])
    assert "labels" in answer.json()["errors"]["mapping"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"alerts": "\\ud800"}', id="half a character"),
        pytest.param(b'{"alerts": [{"name": "\\u0000", "state": "ok"}]}', id="NUL"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[1, 2]", id="numbers"),
        pytest.param(b" " * (5 << 20), id="too long"),
    ],
)
def test_no_body_is_a_server_error(client, hook, body):
    client.raise_request_exception = False
    assert client.post(hook["path"], body, content_type="application/json").status_code in {400, 413}


def test_a_hook_that_is_off_takes_nothing(alice, client, hook):
    alice.patch(f"/api/hooks/{hook['id']}/", {"enabled": False}, format="json")
    assert post(client, hook["path"], {"alerts": []}).status_code == 404
    assert InboundHook.across_tenants.get().enabled is False
