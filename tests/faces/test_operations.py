"""Liveness, readiness and metrics."""

from __future__ import annotations

import pytest

from alertsite.tenancy.services import create_api_key
from rules.services import measuring
from tests.factories.rows import make_group, make_rule


def test_alive_without_touching_a_database(client):
    assert client.get("/healthz").content == b"ok\n"


def test_ready_when_both_servers_answer(client, acme):
    assert client.get("/readyz").status_code == 200


def test_not_ready_says_what_is_missing(client, acme, monkeypatch):
    monkeypatch.setattr(measuring, "faults", lambda: ["Redis: connection refused"])
    answer = client.get("/readyz")

    assert (answer.status_code, answer.content) == (503, b"Redis: connection refused\n")


def test_metrics_tell_rules_shards_and_queues(client, acme):
    make_rule(make_group(acme))
    text = client.get("/metrics").content.decode()

    assert 'alertsite_rules{state="active"} 1.0' in text
    assert "alertsite_shards 1.0" in text
    assert 'alertsite_queue_length{queue="evaluate"} 0.0' in text
    assert "acme" not in text


@pytest.mark.parametrize(
    ("scoped", "status"),
    [pytest.param(False, 200, id="platform key"), pytest.param(True, 403, id="a tenant's key")],
)
def test_metrics_from_elsewhere_need_platform_scope(client, acme, scoped, status):
    key = create_api_key("scraper", tenant=acme if scoped else None, scopes=("read",)).secret
    answer = client.get("/metrics", REMOTE_ADDR="203.0.113.9", HTTP_AUTHORIZATION=f"Bearer {key}")

    assert answer.status_code == status
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 401
