"""What is tried with a loud rule, how a trial is judged, and which changes come first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.language.parser import parse
from rules.reports.improvements import (
    Candidate,
    ChangeKind,
    Fired,
    LoudRule,
    Trial,
    candidates,
    judged,
    most_worth,
)
from tests.factories.reports import make_change

LOUD = LoudRule("r-1", "Busy", "cpu_usage > 80", "", 0, fired=9, acted_on=2, values=[81.0, 85.0, 99.0])
A, B = (("host", "a"),), (("host", "b"),)


def told(rule: LoudRule) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in candidates(rule):
        found.setdefault(one.kind, []).append(one.value)
    return found


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param(
            {},
            {"longer_for": ["1m", "5m"], "threshold": ["> 85"], "hysteresis": ["> 72"]},
            id="a threshold above",
        ),
        pytest.param(
            {"expr": "free < 10", "values": [9.0, 4.0, 1.0], "hold_for_s": 300},
            {"longer_for": ["15m", "1h"], "threshold": ["< 4"], "hysteresis": ["< 11"]},
            id="a threshold below",
        ),
        pytest.param(
            {"recovery_expr": "cpu_usage > 70", "values": []},
            {"longer_for": ["1m", "5m"]},
            id="it has hysteresis, and no values are known",
        ),
        pytest.param(
            {"expr": "absent(up)", "hold_for_s": 3600}, {}, id="no threshold and already the longest for"
        ),
        pytest.param({"expr": "up == 0"}, {"longer_for": ["1m", "5m"]}, id="equality has no direction"),
        pytest.param(
            {"expr": "up == 0", "acted_on": 0},
            {"longer_for": ["1m", "5m"], "remove": [""]},
            id="nobody ever acted",
        ),
        pytest.param(
            {"expr": "up == 0", "acted_on": 0, "fired": 4},
            {"longer_for": ["1m", "5m"]},
            id="too few to say that nobody needs it",
        ),
    ],
)
def test_candidates(changed, expected):
    assert told(replace(LOUD, **changed)) == expected


def test_candidates_can_be_parsed():
    for one in candidates(LOUD):
        assert parse(one.expr or one.recovery_expr or "1")


def test_a_trial_tells_what_is_saved_lost_and_late():
    trial = Trial(
        rule=LOUD,
        candidate=Candidate(ChangeKind.LONGER_FOR, "5m", hold_for_s=300),
        hours=2.0,
        notifications=(6, 2),
        before=[Fired(A, 0, 1_000_000), Fired(B, 0, 60_000), Fired(A, 2_000_000, 2_060_000)],
        after=[Fired(A, 300_000, 1_000_000)],
    )
    change = judged(trial, [Fired(A, 0, 1_000_000), Fired(B, 0, 60_000)])
    assert (change.saved, change.lost, change.acted_on, change.delay_s) == (4, 1, 2, 300.0)


def test_what_loses_nothing_comes_first_and_a_rule_once():
    best = most_worth(
        [
            make_change(rule_id="a", before=100, after=0, lost=1),
            make_change(rule_id="b", before=50, after=10),
            make_change(rule_id="b", before=50, after=5, kind="threshold"),
            make_change(rule_id="c", before=9, after=8),
            make_change(rule_id="d", before=9, after=9),
            make_change(rule_id="e", before=9, after=12),
        ]
    )
    assert [(one.rule_id, one.after) for one in best] == [("b", 5), ("c", 8), ("a", 0)]


def test_of_equal_changes_the_gentler_one():
    threshold = make_change(kind="threshold", delay_s=0.0)
    hysteresis = make_change(kind="hysteresis", delay_s=0.0)
    assert most_worth([threshold, hysteresis]) == [hysteresis]
