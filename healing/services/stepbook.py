"""What is written down of a step: what was said to its provider, that it comes later, how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alertsite.audit.services import Deed, record
from alertsite.tenancy.bulk import insert_rows
from cloud.adapters.protocol import Exchange
from healing.execution.retries import retry_after_ms
from healing.execution.states import StepState
from healing.models import HealingCall, HealingRun, HealingStep
from healing.services.claiming import RunClaim
from healing.services.holding import MAX_REASON, held, locked_step
from healing.services.means import Means

MILLISECOND: Final = timedelta(milliseconds=1)
ACTOR: Final = "healing"


@dataclass(frozen=True, slots=True)
class Later:
    """Why a step is come back to.

    Attributes
    ----------
    asked_s
        After how long the provider wants to be asked again.
    pending
        Nothing was accepted: it is looked at anew.
    doubtful
        A call may have been accepted.
    """

    phase: str
    reason: str
    asked_s: float | None = None
    pending: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class StepBook:
    """The rows of one step of a claimed run. `inputs` are stored with whatever is written first."""

    claim: RunClaim
    means: Means
    key: str
    inputs: Mapping[str, Any]

    def keep(self, run: HealingRun, phase: str, said: list[Exchange]) -> HealingStep:
        """The step as it is stored, with what was said kept beside it. Called with the run held."""
        step = locked_step(run, self.key)
        step.inputs = dict(self.inputs)
        now = self.means.now
        insert_rows([_call(step, phase, one, now) for one in said])
        return step

    def later(self, why: Later, said: list[Exchange]) -> None:
        """Come back to it after a while, or never."""
        with held(self.claim) as run:
            step = self.keep(run, why.phase, said)
            step.doubtful = step.doubtful or why.doubtful
            if why.phase == "look":
                step.tries += 1
            tries = 0 if step.state == StepState.ACCEPTED else step.tries
            wait_ms = retry_after_ms(tries, asked_s=why.asked_s, random=self.means.random)
            if self.is_late(step) and not why.pending:
                lost = step.state == StepState.CALLING
                end = StepState.UNCERTAIN if lost else StepState.FAILED
                self.close(step, end, f"not known to be done in time: {why.reason}")
            elif wait_ms is None and (why.pending or step.state != StepState.CALLING):
                self.close(step, StepState.FAILED, f"tried {tries} times: {why.reason}")
            else:
                self._postpone(step, why, wait_ms or 0)

    def _postpone(self, step: HealingStep, why: Later, wait_ms: int) -> None:
        if why.pending:
            step.state, step.reserved, step.reserved_at = StepState.PENDING, 0, None
        step.reason = why.reason[:MAX_REASON]
        step.next_at = self.means.now + wait_ms * MILLISECOND
        step.save()

    def is_late(self, step: HealingStep) -> bool:
        """Whether its time is over."""
        return step.deadline_at is not None and self.means.now >= step.deadline_at

    def end(self, phase: str, state: StepState, reason: str, said: list[Exchange]) -> None:
        """The step has ended, or nobody can move it on."""
        with held(self.claim) as run:
            self.close(self.keep(run, phase, said), state, reason)

    def close(self, step: HealingStep, state: StepState, reason: str) -> None:
        """As `end`, called with the run held."""
        step.state, step.reason, step.next_at = state, reason[:MAX_REASON], None
        if state is StepState.FAILED and step.receipt is None and not step.doubtful:
            step.reserved = 0  # nothing was touched
        if state is not StepState.UNCERTAIN:
            step.finished_at = self.means.now
        detail = {"held": state is StepState.DONE, "detail": step.reason, "count": len(step.resources)}
        step.result = step.result or detail
        step.save()
        self.record(step, str(state), {"reason": step.reason})

    def record(self, step: HealingStep, what: str, detail: dict[str, Any]) -> None:
        """Into the audit chain."""
        told = {"key": step.key, "action": step.word, "account": step.account, **detail}
        deed = Deed(ACTOR, f"healing_step.{what}", f"healing_run:{step.run_id}", told)
        record(step.tenant_id, deed, at=self.means.now)


def _call(step: HealingStep, phase: str, one: Exchange, now: datetime) -> HealingCall:
    return HealingCall(
        tenant_id=step.tenant_id,
        step=step,
        phase=phase,
        at=now,
        request=one.request[:500],
        sent=dict(one.sent),
        status=one.status[:200],
        answered=dict(one.answered),
        seconds=one.seconds,
    )
