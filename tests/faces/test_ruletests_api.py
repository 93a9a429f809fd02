"""Unit tests of rules over REST: of a file, and of what the tenant has."""

from __future__ import annotations

from tests.factories.rows import make_group, make_rule

TESTS = """
tests:
  - interval: 1m
    input_series: [{series: 'up{job="a"}', values: '0x5'}]
    alert_rule_test: [{eval_time: 1m, alertname: HostDown, exp_alerts: [{exp_labels: {job: a}}]}]
"""


def test_rules_of_the_tenant_and_of_a_file_are_tested(bob, acme):
    make_rule(make_group(acme))

    assert bob.post("/api/rules/test/", {"tests": TESTS}, format="json").json() == {
        "passed": True,
        "failures": [],
    }
    rules = "groups: [{name: g, rules: [{alert: HostDown, expr: up == 1}]}]"
    failed = bob.post("/api/rules/test/", {"tests": TESTS, "rules": rules}, format="json").json()
    assert (failed["passed"], len(failed["failures"])) == (False, 1)


def test_malformed_tests_are_refused(bob):
    answer = bob.post("/api/rules/test/", {"tests": "tests: 1"}, format="json")

    assert (answer.status_code, answer.json()["title"]) == (400, "rule_tests.invalid")
