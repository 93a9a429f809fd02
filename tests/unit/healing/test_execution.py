"""States of runs and steps, verification, retries, the breaker."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.protocol import Repeat
from healing.execution.retries import MAX_TRIES, poll_after_ms, retry_after_ms
from healing.execution.states import (
    ENDS,
    Breaker,
    ImpossibleMove,
    Resume,
    RunEvent,
    RunState,
    Standing,
    StepState,
    Turn,
    after_lost_answer,
    after_run,
    next_run_state,
    turn_of,
)
from healing.execution.verification import Health, Watch, look


@pytest.mark.parametrize(
    ("state", "event", "expected"),
    [
        pytest.param(RunState.WAITING, RunEvent.BEGIN, RunState.RUNNING, id="begins"),
        pytest.param(RunState.WAITING, RunEvent.ASK, RunState.AWAITING, id="asks first"),
        pytest.param(RunState.AWAITING, RunEvent.BEGIN, None, id="does not begin without a yes"),
        pytest.param(RunState.AWAITING, RunEvent.APPROVE, RunState.WAITING, id="is approved"),
        pytest.param(RunState.REJECTED, RunEvent.APPROVE, None, id="a no is final"),
        pytest.param(RunState.EXPIRED, RunEvent.APPROVE, None, id="too late is too late"),
        pytest.param(RunState.RUNNING, RunEvent.LOSE, RunState.UNCERTAIN, id="an answer is lost for good"),
        pytest.param(RunState.UNCERTAIN, RunEvent.VERIFY, None, id="nothing goes on while uncertain"),
        pytest.param(
            RunState.ROLLING_BACK, RunEvent.UNDO_FAILED, RunState.ROLLBACK_FAILED, id="rollback fails"
        ),
        pytest.param(RunState.ROLLING_BACK, RunEvent.CANCEL, None, id="a rollback is not cancelled"),
    ],
)
def test_run_moves(state, event, expected):
    if expected is None:
        with pytest.raises(ImpossibleMove):
            next_run_state(state, event)
    else:
        assert next_run_state(state, event) is expected


@given(st.sampled_from(sorted(ENDS)), st.sampled_from(RunEvent))
def test_nothing_follows_an_end(state, event):
    with pytest.raises(ImpossibleMove):
        next_run_state(state, event)


@pytest.mark.parametrize(
    ("repeat", "happened", "looked", "expected"),
    [
        pytest.param(Repeat.ABSOLUTE, False, False, Resume.ASK_AGAIN, id="setting a state twice"),
        pytest.param(Repeat.KEYED, False, False, Resume.ASK_AGAIN, id="the provider knows the key"),
        pytest.param(Repeat.OBSERVED, False, False, Resume.LOOK, id="looks first"),
        pytest.param(Repeat.OBSERVED, True, True, Resume.ACCEPTED, id="it happened"),
        pytest.param(Repeat.OBSERVED, False, True, Resume.ASK_AGAIN, id="it did not"),
        pytest.param(Repeat.NEVER, False, False, Resume.STOP, id="never twice"),
        pytest.param(None, True, True, Resume.STOP, id="an action that is gone"),
    ],
)
def test_after_a_lost_answer(repeat, happened, looked, expected):
    assert after_lost_answer(repeat, happened=happened, looked=looked) is expected


@pytest.mark.parametrize(
    ("states", "gates", "expected"),
    [
        pytest.param({}, {}, Turn.WAIT, id="the one before has not begun"),
        pytest.param({"1": StepState.ACCEPTED}, {}, Turn.WAIT, id="the one before is under way"),
        pytest.param({"1": StepState.DONE}, {"g": True}, Turn.READY, id="its turn"),
        pytest.param({"1": StepState.SKIPPED}, {}, Turn.READY, id="the one before was skipped"),
        pytest.param({"1": StepState.UNCERTAIN}, {}, Turn.WAIT, id="nobody knows"),
        pytest.param({}, {"g": False}, Turn.SKIP, id="behind a closed gate"),
    ],
)
def test_turn(states, gates, expected):
    assert turn_of(Standing("2", ("1",), ("g",)), states, gates) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param([(0, True), (60, True)], Health.PROVEN, id="healthy for long enough"),
        pytest.param([(0, True), (59, True)], Health.HEALTHY, id="not yet"),
        pytest.param([(0, True), (30, False)], Health.FLAPPED, id="flaps"),
        pytest.param([(0, True), (30, False), (40, True), (99, True)], Health.HEALTHY, id="starts over"),
        pytest.param(
            [(0, True), (30, None), (40, True), (100, True)], Health.PROVEN, id="proven after a flap"
        ),
        pytest.param([(0, False)], Health.UNHEALTHY, id="unhealthy"),
        pytest.param([(0, False), (120, False)], Health.OUT_OF_TIME, id="out of time"),
        pytest.param([(100, True), (120, True)], Health.OUT_OF_TIME, id="healthy too late"),
        pytest.param([(60, True), (120, True)], Health.PROVEN, id="just in time"),
    ],
)
def test_verification(seen, expected):
    watch = Watch(until_ms=120, healthy_for_ms=60)
    for now_ms, healthy in seen:
        health, watch = look(watch, healthy=healthy, now_ms=now_ms)

    assert health is expected


@pytest.mark.parametrize(
    ("ends", "failures", "opened"),
    [
        pytest.param([RunState.FAILED, RunState.FAILED], 2, None, id="not enough"),
        pytest.param([RunState.FAILED, RunState.ROLLED_BACK, RunState.FAILED], 3, 7, id="three in a row"),
        pytest.param([RunState.FAILED, RunState.SUCCEEDED, RunState.FAILED], 1, None, id="a success between"),
        pytest.param([RunState.REJECTED] * 5, 0, None, id="a no is no failure"),
        pytest.param([RunState.FAILED] * 3 + [RunState.SUCCEEDED], 0, 7, id="only a person closes it"),
    ],
)
def test_breaker(ends, failures, opened):
    breaker = Breaker()
    for end in ends:
        breaker = after_run(breaker, end, limit=3, now_ms=7)

    assert breaker == Breaker(failures, opened)


def test_retries_grow_and_end():
    waits = [retry_after_ms(tries, asked_s=None, random=Random(1)) for tries in range(MAX_TRIES)]

    assert all(wait is not None and 500 <= wait <= 60_000 for wait in waits)
    assert waits[0] < waits[4] < waits[7]
    assert retry_after_ms(MAX_TRIES, asked_s=1, random=Random(1)) is None
    assert retry_after_ms(0, asked_s=7.5, random=Random(1)) == 7500


def test_polls_become_rarer():
    assert [poll_after_ms(polls) for polls in (0, 1, 4, 100)] == [1000, 2000, 15_000, 15_000]
