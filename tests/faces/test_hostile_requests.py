"""Whatever a client writes into a field or a parameter, it gets an answer that is no fault of ours."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache

from tests.factories.rows import make_group, make_receiver, make_rule

HOSTILE = [None, "", -1, True, [], {}, "\0", "x" * 70_000, {"a": {"b": "\0"}}, "\ud800", ["\ud800"], 10**30]
FIELDS = {
    "rules": [
        "group",
        "name",
        "expr",
        "condition",
        "for",
        "severity",
        "labels",
        "annotations",
        "alert_limit",
    ],
    "rule-groups": ["name", "interval", "query_offset", "alert_limit"],
    "receivers": ["name", "kind", "config", "secrets", "enabled"],
    "api-keys": ["name", "scopes"],
    "people": ["name", "receivers", "language"],
    "teams": ["name", "members"],
    "schedules": ["name", "timezone", "layers", "ical"],
    "escalation-policies": ["name", "steps", "repeat_count", "repeat_delay", "hand_over_to"],
    "heartbeats": ["name", "period", "grace", "labels", "annotations", "enabled"],
    "hooks": ["name", "mapping", "enabled"],
}


@pytest.fixture
def valid(alice, acme):
    """A body for each resource that would be accepted."""
    group = make_group(acme)
    make_rule(group)
    alice.raise_request_exception = False
    return {
        "rules": {"group": str(group.pk), "name": "n", "expr": "up"},
        "rule-groups": {"name": "q"},
        "receivers": {"name": "r", "kind": "log"},
        "api-keys": {"name": "k", "scopes": ["read"]},
        "people": {"name": "p"},
        "teams": {"name": "t"},
        "schedules": {"name": "s"},
        "escalation-policies": {
            "name": "e",
            "steps": [{"tell": [{"receiver": str(make_receiver(acme).pk)}]}],
        },
        "heartbeats": {"name": "h"},
        "hooks": {"name": "i", "mapping": {"alertname": "A"}},
    }


@pytest.mark.parametrize(
    ("resource", "field"), [(resource, field) for resource, fields in FIELDS.items() for field in fields]
)
def test_no_value_of_a_field_is_a_server_error(alice, valid, resource, field):
    for value in HOSTILE:
        body = valid[resource] | {field: value}
        answer = alice.post(f"/api/{resource}/", json.dumps(body), content_type="application/json")
        assert answer.status_code < 500, value
        cache.clear()  # the rate limit is not what is tried here


@pytest.mark.parametrize(
    "query", ["label=x", "label=%00:1", "group=zz", "limit=-5", "cursor=zzz", "state=%00", "since=zz"]
)
def test_no_parameter_is_a_server_error(alice, valid, query):
    for resource in ("alerts", "rules", "transitions", "deliveries", "ledger", "receivers"):
        assert alice.get(f"/api/{resource}/?{query}").status_code < 500, resource
        cache.clear()


def test_a_body_that_lies_too_deep_is_refused(alice, valid):
    deep = "[" * 100_000 + "]" * 100_000
    assert alice.post("/api/people/", deep, content_type="application/json").status_code == 400
