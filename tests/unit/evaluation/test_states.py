"""The state machine: one row a situation, then sequences of ticks."""

from __future__ import annotations

import numpy as np
import pytest

from rules.evaluation.states import (
    NEVER,
    ActiveAlerts,
    Exceptions,
    Holding,
    Reason,
    State,
    Step,
    Terms,
    advance,
)

MINUTE = 60_000
T0 = 1_700_000_000_000


def terms(*, hold_for_ms: int = 0, keep_firing_for_ms: int = 0, limit: int = 0, rules: int = 1) -> Terms:
    return Terms(np.full(rules, hold_for_ms), np.full(rules, keep_firing_for_ms), np.full(rules, limit))


def alert(*, since_ms: int, fired_ms: int = NEVER, keep_since_ms: int = NEVER) -> ActiveAlerts:
    return ActiveAlerts(*(np.array([number]) for number in (0, 7, since_ms, fired_ms, keep_since_ms)))


def holding(*fingerprints: int, rule: int = 0) -> Holding:
    count = len(fingerprints)
    return Holding(np.full(count, rule), np.array(fingerprints, np.int64), np.ones(count))


def exceptions(*, frozen: bool = False, sustained: bool = False) -> Exceptions:
    return Exceptions(np.array([frozen]), np.array([sustained]))


def step(before: ActiveAlerts, held: Holding, rules: Terms, now_ms: int, **except_: bool) -> Step:
    return advance(before, held, rules, exceptions(**except_), now_ms=now_ms)


NOTHING = ActiveAlerts.none()
PENDING = alert(since_ms=T0)
FIRING = alert(since_ms=T0, fired_ms=T0)


@pytest.mark.parametrize(
    ("before", "held", "rules", "after_ms", "expected"),
    [
        pytest.param(
            NOTHING,
            (7,),
            terms(hold_for_ms=5 * MINUTE),
            0,
            (State.INACTIVE, State.PENDING, Reason.CONDITION_BEGAN),
            id="first true sample waits",
        ),
        pytest.param(
            NOTHING,
            (7,),
            terms(),
            0,
            (State.INACTIVE, State.FIRING, Reason.HELD_LONG_ENOUGH),
            id="without for it fires at once",
        ),
        pytest.param(
            PENDING,
            (7,),
            terms(hold_for_ms=5 * MINUTE),
            5 * MINUTE,
            (State.PENDING, State.FIRING, Reason.HELD_LONG_ENOUGH),
            id="held for the whole duration",
        ),
        pytest.param(
            PENDING, (7,), terms(hold_for_ms=5 * MINUTE), 5 * MINUTE - 1, None, id="a moment too early"
        ),
        pytest.param(
            PENDING,
            (),
            terms(hold_for_ms=5 * MINUTE),
            299_000,
            (State.PENDING, State.INACTIVE, Reason.CONDITION_ENDED),
            id="one false sample starts over",
        ),
        pytest.param(
            FIRING,
            (),
            terms(),
            MINUTE,
            (State.FIRING, State.RESOLVED, Reason.CONDITION_ENDED),
            id="ended condition resolves",
        ),
        pytest.param(FIRING, (7,), terms(), MINUTE, None, id="goes on firing"),
        pytest.param(FIRING, (), terms(keep_firing_for_ms=2 * MINUTE), MINUTE, None, id="kept firing"),
        pytest.param(
            alert(since_ms=T0, fired_ms=T0, keep_since_ms=T0 + MINUTE),
            (),
            terms(keep_firing_for_ms=2 * MINUTE),
            3 * MINUTE,
            (State.FIRING, State.RESOLVED, Reason.KEPT_FIRING_LONG_ENOUGH),
            id="kept firing long enough",
        ),
        pytest.param(
            alert(since_ms=T0),
            (),
            terms(hold_for_ms=MINUTE, keep_firing_for_ms=9 * MINUTE),
            MINUTE,
            (State.PENDING, State.INACTIVE, Reason.CONDITION_ENDED),
            id="pending is never kept",
        ),
    ],
)
def test_one_alert(before, held, rules, after_ms, expected):
    result = step(before, holding(*held), rules, T0 + after_ms)

    assert [(one.previous, one.state, one.reason) for one in result.changes] == (
        [expected] if expected else []
    )


def test_condition_that_returns_forgets_that_it_was_kept():
    kept = step(FIRING, holding(), terms(keep_firing_for_ms=5 * MINUTE), T0 + MINUTE)
    assert kept.alerts.keep_firing_since_ms.tolist() == [T0 + MINUTE]
    assert kept.touched.tolist() == [0]

    back = step(kept.alerts, holding(7), terms(keep_firing_for_ms=5 * MINUTE), T0 + 2 * MINUTE)
    assert back.alerts.keep_firing_since_ms.tolist() == [NEVER]
    assert back.touched.tolist() == [0]


@pytest.mark.parametrize(
    ("policy", "before", "survives"),
    [
        pytest.param({"frozen": True}, FIRING, True, id="frozen firing stays"),
        pytest.param({"frozen": True}, PENDING, True, id="frozen pending stays pending"),
        pytest.param({"sustained": True}, FIRING, True, id="sustained firing stays"),
        pytest.param({}, FIRING, False, id="otherwise it ends"),
    ],
)
def test_exceptions_decide_over_alerts_whose_condition_is_unknown(policy, before, survives):
    result = step(before, holding(), terms(hold_for_ms=MINUTE), T0 + 10 * MINUTE, **policy)

    assert len(result.alerts) == survives
    assert bool(result.changes) is not survives


def test_sustained_pending_alert_comes_to_fire():
    result = step(PENDING, holding(), terms(hold_for_ms=MINUTE), T0 + MINUTE, sustained=True)

    assert result.changes[0].state is State.FIRING


def test_limit_keeps_what_is_active_then_the_first_new():
    before = step(NOTHING, holding(30, 20), terms(limit=3), T0).alerts
    result = step(before, holding(1, 2, 20, 30), terms(limit=3), T0 + MINUTE)

    assert sorted(result.alerts.fingerprint.tolist()) == [1, 20, 30]
    assert result.truncated.tolist() == [0]


def test_same_series_of_two_rules_are_two_alerts():
    both = Holding(np.array([0, 1]), np.array([7, 7]), np.ones(2))
    frozen = Exceptions(np.zeros(2, bool), np.zeros(2, bool))
    first = advance(NOTHING, both, terms(rules=2), frozen, now_ms=T0)
    second = advance(
        first.alerts, Holding(np.array([1]), np.array([7]), np.ones(1)), terms(rules=2), frozen, now_ms=T0 + 1
    )

    assert [change.rule for change in first.changes] == [0, 1]
    assert [(change.rule, change.state) for change in second.changes] == [(0, State.RESOLVED)]
    assert second.alerts.rule.tolist() == [1]
