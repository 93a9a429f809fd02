"""REST over rules: what a client sends, gets, and is refused."""

from __future__ import annotations

import pytest

from alertsite.tenancy.models import Quota
from tests.factories.rows import make_group, make_rule


@pytest.fixture
def group(alice, acme):
    return make_group(acme)


def test_rule_is_made_changed_and_versioned(alice, group):
    made = alice.post(
        "/api/rules/",
        {"group": str(group.pk), "name": "Busy", "expr": "cpu_usage > 80", "for": "5m", "severity": "high"},
        format="json",
    )
    assert made.status_code == 201, made.json()
    rule = made.json()
    assert (rule["for"], rule["version"], rule["state"]) == ("5m", 1, "active")

    changed = alice.patch(f"/api/rules/{rule['id']}/", {"for": 90}, format="json").json()
    assert (changed["for"], changed["version"], changed["expr"]) == ("1m30s", 2, "cpu_usage > 80")

    paused = alice.post(f"/api/rules/{rule['id']}/pause/").json()
    assert (paused["state"], paused["version"]) == ("paused", 3)

    versions = alice.get(f"/api/rules/{rule['id']}/versions/").json()
    assert [(one["version"], one["author"]) for one in versions] == [(3, "alice"), (2, "alice"), (1, "alice")]
    assert versions[2]["definition"]["hold_for_s"] == 300


def test_condition_compiles_and_can_be_replaced_by_an_expression(alice, group):
    condition = {
        "type": "threshold",
        "metric_path": "current_metrics.cpu_usage",
        "operator": ">",
        "threshold": 80.0,
    }
    rule = alice.post(
        "/api/rules/", {"group": str(group.pk), "name": "Busy", "condition": condition}, format="json"
    ).json()
    assert rule["expr"] == "cpu_usage > 80"

    changed = alice.patch(f"/api/rules/{rule['id']}/", {"expr": "cpu_usage > 90"}, format="json").json()
    assert (changed["condition"], changed["expr"]) == (None, "cpu_usage > 90")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"expr": "sum(("}, "expr", id="does not parse"),
        pytest.param({"expr": "a > 1", "for": "soon"}, "for", id="no duration"),
        pytest.param({"condition": {"type": "magic"}}, "condition", id="unknown condition"),
        pytest.param({}, "expr", id="neither"),
        pytest.param({"expr": "a > 1", "severity": "awful"}, "severity", id="unknown severity"),
        pytest.param({"expr": "a > 1", "labels": {"a-b": "x"}}, "labels", id="no label name"),
    ],
)
def test_refused_rule_names_the_field_and_stores_nothing(alice, group, values, field):
    answer = alice.post("/api/rules/", {"group": str(group.pk), "name": "Bad", **values}, format="json")

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]
    assert alice.get("/api/rules/").json()["results"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("rule-groups", {"name": "twin"}, id="group"),
        pytest.param("receivers", {"name": "twin", "kind": "log"}, id="receiver"),
    ],
)
def test_second_row_of_one_name_is_refused(alice, path, body):
    assert alice.post(f"/api/{path}/", body, format="json").status_code == 201
    again = alice.post(f"/api/{path}/", body, format="json")

    assert again.status_code == 400
    assert "already" in str(again.json()["errors"])


def test_receiver_whose_configuration_does_not_fit_is_refused_by_field(alice):
    answer = alice.post(
        "/api/receivers/", {"name": "hook", "kind": "webhook", "config": {"url": "nowhere"}}, format="json"
    )

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["config.url"])


def test_viewer_reads_and_may_not_write(bob, acme):
    rule = make_rule(make_group(acme))

    assert [one["id"] for one in bob.get("/api/rules/").json()["results"]] == [str(rule.pk)]
    assert bob.delete(f"/api/rules/{rule.pk}/").status_code == 403


def test_a_client_cannot_put_a_rule_into_a_foreign_group(charlie, group):
    answer = charlie.post(
        "/api/rules/", {"group": str(group.pk), "name": "Mine", "expr": "up == 0"}, format="json"
    )

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["group"])


def test_lists_cost_the_same_number_of_queries_however_long(
    alice, acme, group, django_assert_max_num_queries
):
    for number in range(12):
        make_rule(group, name=f"Rule{number}")

    with django_assert_max_num_queries(8):
        assert len(alice.get("/api/rules/").json()["results"]) == 12


def test_rule_beyond_the_quota_is_refused_with_the_bound(alice, acme, group):
    Quota.objects.filter(pk=acme.pk).update(max_rules=1)
    bodies = [{"group": str(group.pk), "name": f"Rule{number}", "expr": "up == 0"} for number in range(2)]
    taken, refused = (alice.post("/api/rules/", body, format="json") for body in bodies)

    assert (taken.status_code, refused.status_code) == (201, 409)
    assert "may have 1 rules" in refused.json()["detail"]
    assert len(alice.get("/api/rules/").json()["results"]) == 1
