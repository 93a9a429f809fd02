"""Lint over REST, and in the answers to saves."""

from __future__ import annotations

import pytest
import redis

from tests.factories.rows import make_group, make_rule


def test_draft_is_linted_without_being_saved(bob, acme):
    advice = bob.post(
        "/api/rules/lint/", {"expr": "nothing > 1", "labels": {"a": "{{ $value }}"}}, format="json"
    )

    assert [one["code"] for one in advice.json()["warnings"]] == [
        "selector.no_series",
        "label.changes",
        "for.missing",
    ]
    assert advice.json()["cost"] == {"series": 0, "samples": 0, "share": 0.0}


def test_save_answers_with_warnings_and_saves_all_the_same(alice, acme):
    rule = {"group": str(make_group(acme).pk), "name": "A", "expr": "nothing > 1", "for": "1m"}

    made = alice.post("/api/rules/", rule, format="json")

    assert made.status_code == 201
    assert [one["code"] for one in made.json()["warnings"]] == ["selector.no_series"]
    changed = alice.patch(f"/api/rules/{made.json()['id']}/", {"for": "0s"}, format="json").json()
    assert [one["code"] for one in changed["warnings"]] == ["selector.no_series", "for.missing"]
    assert "warnings" not in alice.get(f"/api/rules/{made.json()['id']}/").json()


@pytest.mark.parametrize("expr", ["sum((", ""])
def test_what_cannot_be_saved_is_refused(alice, acme, expr):
    make_rule(make_group(acme))

    answer = alice.post("/api/rules/lint/", {"expr": expr}, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["expr"])


def test_store_that_does_not_answer_fails_no_save(alice, acme, monkeypatch):
    def gone(tenant_id):
        raise redis.ConnectionError

    monkeypatch.setattr("rules.services.linting.hot_store", gone)
    rule = {"group": str(make_group(acme).pk), "name": "A", "expr": "up == 0"}

    made = alice.post("/api/rules/", rule, format="json")

    assert (made.status_code, made.json()["warnings"][0]["code"]) == (201, "lint.unavailable")
