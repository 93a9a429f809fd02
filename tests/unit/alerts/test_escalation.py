"""Escalation goes step by step until somebody answers."""

import pytest

from rules.alerts.escalation import (
    MAX_HAND_OVERS,
    EscalationState,
    InvalidPolicy,
    Policy,
    Step,
    Target,
    TargetKind,
    begin,
    next_action,
)

ANN, TEAM = Target(TargetKind.PERSON, "ann"), Target(TargetKind.TEAM, "ops")
FIRST = Policy("first", (Step(0, (ANN,)), Step(10, (TEAM,))), repeats=1, repeat_delay_ms=100)
OTHER = Policy("other", (Step(5, (ANN,)), Step(0, (Target(TargetKind.POLICY, "first"),))))
CIRCLE = Policy("circle", (Step(0, (Target(TargetKind.POLICY, "circle"),)),))
AFTER = Policy("after", (Step(0, (TEAM,)),), repeats=1, repeat_delay_ms=10, hand_over_to="first")
POLICIES = {policy.id: policy for policy in (FIRST, OTHER, CIRCLE, AFTER)}


def told(policy, until_ms):
    """Everything the policy does by itself: (time, reason, names)."""
    state, now_ms, story = begin(policy, 0), 0, []
    while now_ms <= until_ms and len(story) < 50:
        action = next_action(POLICIES, state, now_ms)
        if action.reason != "waiting":
            story.append((now_ms, str(action.reason), *(target.id for target in action.notify)))
        if action.next_ms is None:
            break
        state, now_ms = action.state, max(action.next_ms, now_ms)
    return story


def test_steps_are_taken_in_time_and_repeated():
    assert told(FIRST, 1000) == [
        (0, "step_due", "ann"),
        (10, "step_due", "ops"),
        (110, "step_due", "ann"),
        (120, "step_due", "ops"),
    ]


def test_another_policy_takes_over():
    assert told(OTHER, 10)[:3] == [(5, "step_due", "ann"), (5, "handed_over"), (5, "step_due", "ann")]


def test_a_policy_goes_on_in_another_after_its_repeats_and_a_pause():
    assert told(AFTER, 20) == [
        (0, "step_due", "ops"),
        (10, "step_due", "ops"),
        (20, "handed_over"),
        (20, "step_due", "ann"),
    ]


def test_a_circle_of_policies_ends():
    story = told(CIRCLE, 10)

    assert [reason for _, reason in story] == ["handed_over"] * MAX_HAND_OVERS + ["too_many_hand_overs"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [({"acknowledged": True}, "acknowledged"), ({"resolved": True, "acknowledged": True}, "resolved")],
)
def test_an_answer_stops_it(answer, reason):
    action = next_action(POLICIES, begin(FIRST, 0), 0, **answer)

    assert (action.reason, action.notify, action.next_ms) == (reason, (), None)
    assert next_action(POLICIES, action.state, 99).reason == "exhausted"


def test_asking_again_does_nothing_twice():
    action = next_action(POLICIES, begin(FIRST, 0), 0)

    assert next_action(POLICIES, action.state, 0).reason == "waiting"


def test_a_late_worker_takes_one_step_at_a_time():
    late = next_action(POLICIES, begin(FIRST, 0), 1000)

    assert (late.notify, late.next_ms) == ((ANN,), 1010)


def test_a_policy_that_is_gone_ends_it():
    assert next_action({}, EscalationState("first", 0), 0).reason == "policy_gone"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"steps": ()}, "0 steps", id="no step"),
        pytest.param({"steps": (Step(0, ()),)}, "tells nobody", id="nobody"),
        pytest.param({"steps": (Step(-1, (ANN,)),)}, "delay of -1", id="back in time"),
        pytest.param({"steps": OTHER.steps[::-1]}, "hands over", id="a hand-over before the end"),
        pytest.param({"steps": OTHER.steps, "repeats": 1}, "hands over", id="a hand-over with repeats"),
        pytest.param({"steps": FIRST.steps, "repeats": -1}, "repeats is -1", id="negative repeats"),
    ],
)
def test_a_bad_policy_is_refused(fields, reason):
    with pytest.raises(InvalidPolicy, match=reason):
        Policy("p", **fields)
