"""Dry walks through playbooks, and tests of playbooks."""

from __future__ import annotations

import pytest

from healing.execution.dry_run import rehearse
from healing.execution.playbooktests import run_tests
from healing.playbooks.errors import InvalidPlaybook
from healing.playbooks.planner import compile_playbook
from healing.playbooks.references import Scope
from tests.factories.playbooks import RESTART, playbook_of

LOOP = playbook_of(
    "{repeat: {times: 3, until: results.up.held}, steps: [{id: up, check: up, required: false}]}"
)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({"up": True}, ["1#0.1"], id="holds at once"),
        pytest.param({"1#0.1": False}, ["1#0.1", "1#1.1"], id="holds in the second round"),
        pytest.param({"up": False}, ["1#0.1", "1#1.1", "1#2.1"], id="never holds"),
    ],
)
def test_a_loop_ends_when_its_condition_holds(answers, expected):
    assert [one.key for one in rehearse(compile_playbook(LOOP), Scope(), answers)] == expected


def test_a_step_that_fails_ends_the_walk():
    plan = compile_playbook(playbook_of("{id: a, check: up}", "{notify: ops, text: x}"))

    taken = rehearse(plan, Scope(), {"a": False})

    assert [(one.key, one.failed) for one in taken] == [("1", True)]


def test_an_input_that_no_label_gives_ends_the_walk_with_the_reason():
    taken = rehearse(compile_playbook(RESTART), Scope(), {})

    assert taken[0].failed
    assert "labels.service is not there" in taken[0].reason


def test_an_input_that_the_word_does_not_take_ends_the_walk():
    taken = rehearse(compile_playbook(RESTART), Scope(labels={"service": "a b"}), {})

    assert taken[0].failed


TESTS = """\
file: restart.yaml
tests:
  - name: restarts what the alert names
    labels: {alertname: ServiceDown, service: checkout}
    expect: [{action: restart_service, with: {service: checkout}}]
  - name: leaves others alone
    labels: {alertname: DiskFull}
    starts: false
"""


def test_tests_of_a_playbook_pass():
    results = run_tests(TESTS, {"restart.yaml": RESTART}.__getitem__)

    assert [(one.name, one.faults) for one in results] == [
        ("restarts what the alert names", ()),
        ("leaves others alone", ()),
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(("service: checkout}}]", "service: cart}}]"), "expected {'action'", id="another input"),
        pytest.param(("expect: [{action", "expect: [{notify: ops}, {action"), "expected 2", id="a step more"),
        pytest.param(("starts: false", "starts: true"), "it does not start", id="it should start"),
    ],
)
def test_tests_of_a_playbook_fail(change, fault):
    results = run_tests(TESTS.replace(*change), {"restart.yaml": RESTART}.__getitem__)

    assert any(fault in one for result in results for one in result.faults), results


def test_a_test_file_with_an_unknown_field_is_refused():
    with pytest.raises(InvalidPlaybook, match="3:49: unknown field 'lables'"):
        run_tests("file: a\ntests:\n  - {name: a, expect: [], starts: true, lables: {}}", lambda _: RESTART)
