"""States of runs and steps, and what moves them: pure functions, no clock, no database.

In: a state and an event. Out: the next state. Refused: an event that the state does not know.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alertsite.core.errors import PlatformError
from cloud.adapters.protocol import Repeat


class RunState(enum.StrEnum):
    """Where a run is."""

    WAITING = "waiting"
    """To begin."""
    HELD = "held"
    """A limit, a maintenance window or another run is in the way; it is looked at again."""
    AWAITING = "awaiting"
    """A person."""
    RUNNING = "running"
    VERIFYING = "verifying"
    ROLLING_BACK = "rolling_back"
    UNCERTAIN = "uncertain"
    """A call may have been accepted, and nobody can tell: a person must look."""
    SUCCEEDED = "succeeded"
    REHEARSED = "rehearsed"
    """A dry run that came to its end."""
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    GIVEN_UP = "given_up"
    """It could not begin, or its reason went away before it did."""
    CANCELLED = "cancelled"


class RunEvent(enum.StrEnum):
    """What happens to a run."""

    HOLD = "hold"
    ASK = "ask"
    BEGIN = "begin"
    APPROVE = "approve"
    """The plan."""
    APPROVE_STEP = "approve_step"
    REJECT = "reject"
    EXPIRE = "expire"
    GIVE_UP = "give_up"
    STEPS_DONE = "steps_done"
    VERIFY = "verify"
    HEALTHY = "healthy"
    FAIL = "fail"
    ROLL_BACK = "roll_back"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"
    LOSE = "lose"
    """An answer, for good."""
    SETTLE = "settle"
    """A person said what became of it."""
    CANCEL = "cancel"
    REHEARSED = "rehearsed"


ENDS: Final = frozenset(
    {
        RunState.SUCCEEDED,
        RunState.REHEARSED,
        RunState.FAILED,
        RunState.ROLLED_BACK,
        RunState.ROLLBACK_FAILED,
        RunState.REJECTED,
        RunState.EXPIRED,
        RunState.GIVEN_UP,
        RunState.CANCELLED,
    }
)
ACTIVE: Final = frozenset({RunState.RUNNING, RunState.VERIFYING, RunState.ROLLING_BACK, RunState.UNCERTAIN})
"""States that count as running for limits of concurrency. One that awaits a person in the middle counts
too.
"""
BAD_ENDS: Final = frozenset({RunState.FAILED, RunState.ROLLED_BACK, RunState.ROLLBACK_FAILED})
"""Ends that the breaker counts."""

_S, _E = RunState, RunEvent
_MOVES: Final[Mapping[tuple[RunState, RunEvent], RunState]] = {
    **{(state, _E.HOLD): _S.HELD for state in (_S.WAITING, _S.HELD)},
    **{(state, _E.ASK): _S.AWAITING for state in (_S.WAITING, _S.HELD, _S.RUNNING, _S.ROLLING_BACK)},
    **{(state, _E.BEGIN): _S.RUNNING for state in (_S.WAITING, _S.HELD)},
    **{(state, _E.GIVE_UP): _S.GIVEN_UP for state in (_S.WAITING, _S.HELD)},
    (_S.AWAITING, _E.APPROVE): _S.WAITING,
    (_S.AWAITING, _E.APPROVE_STEP): _S.RUNNING,
    (_S.AWAITING, _E.REJECT): _S.REJECTED,
    (_S.AWAITING, _E.EXPIRE): _S.EXPIRED,
    (_S.AWAITING, _E.GIVE_UP): _S.GIVEN_UP,
    (_S.AWAITING, _E.ROLL_BACK): _S.ROLLING_BACK,
    (_S.AWAITING, _E.UNDO_FAILED): _S.ROLLBACK_FAILED,
    (_S.RUNNING, _E.STEPS_DONE): _S.SUCCEEDED,
    (_S.RUNNING, _E.REHEARSED): _S.REHEARSED,
    (_S.RUNNING, _E.VERIFY): _S.VERIFYING,
    (_S.VERIFYING, _E.HEALTHY): _S.SUCCEEDED,
    (_S.AWAITING, _E.FAIL): _S.FAILED,
    **{(state, _E.FAIL): _S.FAILED for state in (_S.RUNNING, _S.VERIFYING, _S.ROLLING_BACK)},
    **{(state, _E.ROLL_BACK): _S.ROLLING_BACK for state in (_S.RUNNING, _S.VERIFYING)},
    (_S.ROLLING_BACK, _E.UNDONE): _S.ROLLED_BACK,
    (_S.ROLLING_BACK, _E.UNDO_FAILED): _S.ROLLBACK_FAILED,
    **{(state, _E.LOSE): _S.UNCERTAIN for state in (_S.RUNNING, _S.ROLLING_BACK)},
    (_S.UNCERTAIN, _E.SETTLE): _S.RUNNING,
    (_S.UNCERTAIN, _E.ROLL_BACK): _S.ROLLING_BACK,
    **{
        (state, _E.CANCEL): _S.CANCELLED
        for state in (_S.WAITING, _S.HELD, _S.AWAITING, _S.RUNNING, _S.VERIFYING)
    },
}


class ImpossibleMove(PlatformError):
    """A run cannot do this from where it is."""

    code = "healing.impossible_move"

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"a run that is {state} cannot {event}")


def next_run_state(state: RunState, event: RunEvent) -> RunState:
    """Where a run is after an event.

    Raises
    ------
    ImpossibleMove
    """
    moved = _MOVES.get((state, event))
    if moved is None:
        raise ImpossibleMove(state, event)
    return moved


class StepState(enum.StrEnum):
    """Where a step is."""

    PENDING = "pending"
    CALLING = "calling"
    """Its intent is stored, and the provider may have been asked."""
    ACCEPTED = "accepted"
    """The provider has taken it, or a wait or check is under way."""
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


STEP_ENDS: Final = frozenset({StepState.DONE, StepState.SKIPPED, StepState.FAILED})


class Resume(enum.StrEnum):
    """What to do with a step that was found calling."""

    ASK_AGAIN = "ask_again"
    ACCEPTED = "accepted"
    STOP = "stop"
    LOOK = "look"
    """First ask whether it happened."""


def after_lost_answer(repeat: Repeat | None, *, happened: bool, looked: bool) -> Resume:
    """What to do with a step whose call may have been accepted: the worker was lost, or the answer.

    Parameters
    ----------
    repeat
        Of the action; None if that is not known any more.
    happened
        What looking told, if `looked`.
    """
    if repeat in {Repeat.ABSOLUTE, Repeat.KEYED}:
        return Resume.ASK_AGAIN
    if repeat is not Repeat.OBSERVED:
        return Resume.STOP
    if not looked:
        return Resume.LOOK
    return Resume.ACCEPTED if happened else Resume.ASK_AGAIN


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether a step is ready."""

    key: str
    after: Sequence[str]
    gates: Sequence[str]


class Turn(enum.StrEnum):
    """What a step may do now."""

    READY = "ready"
    SKIP = "skip"
    WAIT = "wait"


def turn_of(step: Standing, states: Mapping[str, StepState], open_gates: Mapping[str, bool]) -> Turn:
    """Whether a pending step may begin, is skipped, or waits for others."""
    if any(not open_gates.get(gate, True) for gate in step.gates):
        return Turn.SKIP
    if all(states.get(key) in STEP_ENDS for key in step.after):
        return Turn.READY
    return Turn.WAIT


@dataclass(frozen=True, slots=True)
class Breaker:
    """Failures in a row, and since when it is open."""

    failures: int = 0
    opened_ms: int | None = None


def after_run(breaker: Breaker, end: RunState, *, limit: int, now_ms: int) -> Breaker:
    """The breaker after a run ended. A person closes it; success alone does not."""
    if end is RunState.SUCCEEDED:
        return Breaker(0, breaker.opened_ms)
    if end not in BAD_ENDS:
        return breaker
    failures = breaker.failures + 1
    opens = breaker.opened_ms is None and failures >= limit
    return Breaker(failures, now_ms if opens else breaker.opened_ms)
