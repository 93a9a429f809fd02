"""Escalation: who is told next while nobody answers.

In: a policy of timed steps, where an alert stands in it, and the time. Out: the next action with its
reason, the state after it, and when to ask again. Acknowledgement and resolution stop it. Nothing is done
twice: the state names the step that comes next, so that asking again at the same time with the new state
waits. A worker that comes late takes one step a question, counting the next delay from when the step was
taken, so nobody is told twice at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

from alertsite.core.errors import PlatformError

MAX_STEPS = 50
MAX_REPEATS = 100
MAX_HAND_OVERS = 10


class InvalidPolicy(PlatformError):
    """An escalation policy is malformed."""

    code = "escalation.invalid"


class TargetKind(enum.StrEnum):
    """Whom a step tells; a policy takes the alert over."""

    PERSON = "person"
    TEAM = "team"
    SCHEDULE = "schedule"
    RECEIVER = "receiver"
    POLICY = "policy"


class EscalationReason(enum.StrEnum):
    """Why something is done now, or nothing."""

    STEP_DUE = "step_due"
    HANDED_OVER = "handed_over"
    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    EXHAUSTED = "exhausted"
    POLICY_GONE = "policy_gone"
    TOO_MANY_HAND_OVERS = "too_many_hand_overs"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a step tells."""

    kind: TargetKind
    id: str


@dataclass(frozen=True, slots=True)
class Step:
    """What happens `delay_ms` after the step before it; of the first, after the escalation began."""

    delay_ms: int
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps in order; after the last the whole is repeated `repeats` times, each `repeat_delay_ms` later.
    When that too is over, and as much later, `hand_over_to` goes on, if there is such a policy.

    Raises ------ InvalidPolicy If there is no step or too many, a step tells nobody, a delay is negative,
    or a hand-over is not the last step's only target or comes with repeats.
    """

    id: str
    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_delay_ms: int = 0
    hand_over_to: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise InvalidPolicy(f"policy has {len(self.steps)} steps, accepts 1 to {MAX_STEPS}")
        if not 0 <= self.repeats <= MAX_REPEATS:
            raise InvalidPolicy(f"repeats is {self.repeats}, accepts 0 to {MAX_REPEATS}")
        if self.repeat_delay_ms < 0:
            raise InvalidPolicy(f"repeat_delay_ms is {self.repeat_delay_ms}, accepts 0 and more")
        for number, step in enumerate(self.steps, start=1):
            self._check_step(number, step)

    def _check_step(self, number: int, step: Step) -> None:
        if not step.targets:
            raise InvalidPolicy(f"step {number} tells nobody")
        if step.delay_ms < 0:
            raise InvalidPolicy(f"step {number} has a delay of {step.delay_ms} ms, accepts 0 and more")
        hands_over = any(target.kind is TargetKind.POLICY for target in step.targets)
        if hands_over and (len(step.targets) > 1 or number < len(self.steps) or self.repeats):
            raise InvalidPolicy(f"step {number} hands over: it must be alone, the last, and without repeats")


@dataclass(frozen=True, slots=True)
class EscalationState:
    """Where an alert stands. `step` is the one that comes next, `due_ms` when; None when it is over."""

    policy_id: str
    due_ms: int | None
    step: int = 0
    round: int = 0
    hand_overs: int = 0


@dataclass(frozen=True, slots=True)
class EscalationAction:
    """What is done now. `notify` is whom to tell; `next_ms` when to ask again, None when never."""

    reason: EscalationReason
    notify: tuple[Target, ...]
    state: EscalationState
    next_ms: int | None

    @property
    def key(self) -> str:
        """The same for the same step of the same round: an idempotency key within one escalation."""
        return f"{self.state.hand_overs}/{self.state.round}/{self.state.step}"


def begin(policy: Policy, now_ms: int) -> EscalationState:
    """The state of an escalation that begins now."""
    return EscalationState(policy.id, now_ms + policy.steps[0].delay_ms)


def next_action(
    policies: Mapping[str, Policy],
    state: EscalationState,
    now_ms: int,
    *,
    acknowledged: bool = False,
    resolved: bool = False,
) -> EscalationAction:
    """What to do now, and the state afterwards; after a hand-over ask again at `next_ms`, which may be
    now.
    """
    if resolved or acknowledged:
        reason = EscalationReason.RESOLVED if resolved else EscalationReason.ACKNOWLEDGED
        return _over(state, reason)
    if state.due_ms is None:
        return _over(state, EscalationReason.EXHAUSTED)
    if now_ms < state.due_ms:
        return EscalationAction(EscalationReason.WAITING, (), state, state.due_ms)
    return _take(policies, state, now_ms)


def _take(policies: Mapping[str, Policy], state: EscalationState, now_ms: int) -> EscalationAction:
    """The step that is due; a policy that was shortened meanwhile has none."""
    policy = policies.get(state.policy_id)
    if policy is None:
        return _over(state, EscalationReason.POLICY_GONE)
    if state.step >= len(policy.steps):
        if policy.hand_over_to:
            return _hand_over(policies, state, policy.hand_over_to, now_ms)
        return _over(state, EscalationReason.EXHAUSTED)
    step = policy.steps[state.step]
    if step.targets[0].kind is TargetKind.POLICY:
        return _hand_over(policies, state, step.targets[0].id, now_ms)
    after = _advance(policy, state, now_ms)
    return EscalationAction(EscalationReason.STEP_DUE, step.targets, after, after.due_ms)


def _over(state: EscalationState, reason: EscalationReason) -> EscalationAction:
    return EscalationAction(reason, (), replace(state, due_ms=None), None)


def _advance(policy: Policy, state: EscalationState, now_ms: int) -> EscalationState:
    following = state.step + 1
    if following < len(policy.steps):
        return replace(state, step=following, due_ms=now_ms + policy.steps[following].delay_ms)
    if state.round < policy.repeats:
        due_ms = now_ms + policy.repeat_delay_ms + policy.steps[0].delay_ms
        return replace(state, step=0, round=state.round + 1, due_ms=due_ms)
    due_ms_after = now_ms + policy.repeat_delay_ms if policy.hand_over_to else None
    return replace(state, step=following, due_ms=due_ms_after)


def _hand_over(
    policies: Mapping[str, Policy], state: EscalationState, policy_id: str, now_ms: int
) -> EscalationAction:
    """Go on in another policy from its first step; bounded, since policies may hand over in a circle."""
    if state.hand_overs >= MAX_HAND_OVERS:
        return _over(state, EscalationReason.TOO_MANY_HAND_OVERS)
    policy = policies.get(policy_id)
    if policy is None:
        return _over(state, EscalationReason.POLICY_GONE)
    fresh = replace(begin(policy, now_ms), hand_overs=state.hand_overs + 1)
    return EscalationAction(EscalationReason.HANDED_OVER, (), fresh, fresh.due_ms)
