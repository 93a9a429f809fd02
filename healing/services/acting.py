"""Asking a provider: intent, call, receipt, progress. Cut anywhere, it is taken up where it was cut.

For each action: 1. Look, which changes nothing. 2. Store the intent: key, state before, what it may touch,
under the limits. From here it may have been asked. 3. Ask. 4. Store the receipt, or what the provider said
instead. 5. Ask how far it has come, until it has ended.

A step that is found after 2 and before 4 was cut: whether it is asked again depends on what its provider
makes of a second time. An exception that is no `AdapterError` leaves it there, and it is taken for a lost
answer.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid5

from pydantic import ValidationError

from alertsite.core.errors import InvalidParameter, PlatformError
from cloud.adapters.errors import ActionRefused, AdapterError, ResourceGone
from cloud.adapters.protocol import Action, Exchange, Receipt, Sight, Stage
from cloud.adapters.registry import UnknownAction
from cloud.adapters.vocabulary import Parameters
from healing.approvals.blast_radius import LimitReason
from healing.execution.retries import MAX_TRIES, poll_after_ms
from healing.execution.states import Resume, StepState, after_lost_answer
from healing.models import HealingRun, HealingStep
from healing.playbooks.rollback import UNDO
from healing.playbooks.schema import LimitTerms
from healing.services.claiming import RunClaim
from healing.services.holding import MAX_REASON, held
from healing.services.means import Means
from healing.services.policies import limits_of, policy_of
from healing.services.reserving import hold_tenant, reserve, reserve_undo
from healing.services.stepbook import MILLISECOND, Later, StepBook

LOST: Final = "its answer was lost, and nobody can tell"
LIMIT_PAUSE: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Terms:
    """What bounds an action."""

    limits: LimitTerms
    timeout_ms: int


@dataclass(frozen=True, slots=True)
class Door:
    """An open account, the action that is asked of it, and with which parameters."""

    session: Any
    action: Action
    parameters: Parameters

    def exchanges(self) -> list[Exchange]:
        """What was said since this was last asked."""
        found: list[Exchange] = self.session.exchanges()
        return found


@dataclass(frozen=True, slots=True)
class Acting:
    """One step of a claimed run, and what it is moved on with."""

    claim: RunClaim
    means: Means
    step: HealingStep
    terms: Terms

    @property
    def book(self) -> StepBook:
        """Where its rows are kept."""
        return StepBook(self.claim, self.means, self.step.key, self.step.inputs)

    def move(self) -> None:
        """Move the step on as far as it goes now."""
        with ExitStack() as stack:
            try:
                door = self._door(stack)
            except (PlatformError, ValidationError) as error:
                self._cannot_open(error)
                return
            if self.step.state == StepState.PENDING:
                self._begin(door)
            elif self.step.state == StepState.CALLING:
                self._resume(door)
            else:
                self._follow(door, Receipt(self.step.receipt or {}, self.step.request_id))

    def rehearse(self) -> None:
        """Look, and store what would be done."""
        with ExitStack() as stack:
            try:
                door = self._door(stack)
                sight = door.action.look(door.session, door.parameters)
            except (PlatformError, ValidationError) as error:
                self.book.end("look", StepState.FAILED, _words(error), [])
                return
            with held(self.claim) as run:
                step = self.book.keep(run, "look", door.exchanges())
                _see(step, sight)
                step.result = {"held": True, "count": len(sight.resources)}
                self.book.close(step, StepState.DONE, "rehearsed")

    def _door(self, stack: ExitStack) -> Door:
        opened = stack.enter_context(self.means.open_account(self.claim.tenant_id, self.step.account))
        actions = opened.adapter.actions
        if self.step.word not in actions:
            raise UnknownAction(opened.adapter.name, self.step.word, sorted(actions))
        action: Action = actions[self.step.word]
        return Door(opened.session, action, action.word.parameters.model_validate(self.step.inputs))

    def _cannot_open(self, error: Exception) -> None:
        """The account is gone or disabled, cannot be reached, or the provider does not do this."""
        pending = self.step.state == StepState.PENDING
        phase = "look" if pending else "progress"
        if pending and not getattr(error, "retryable", False):
            self.book.end(phase, StepState.FAILED, _words(error), [])
        else:
            self.book.later(Later(phase, _words(error), pending=pending), [])

    def _later(self, door: Door, why: Later) -> None:
        self.book.later(why, door.exchanges())

    def _begin(self, door: Door) -> None:
        try:
            sight = door.action.look(door.session, door.parameters)
        except AdapterError as error:
            self._refused(door, "look", error)
            return
        if self._intend(door, sight):
            self._ask(door, sight)

    def _intend(self, door: Door, sight: Sight) -> bool:
        """Store the intent, if the limits leave room and nobody has cancelled the run."""
        with held(self.claim) as run:
            step = self.book.keep(run, "look", door.exchanges())
            if run.cancelled_by:
                return False
            reason = self._reserve(run, step, sight)
            if reason is not LimitReason.WITHIN:
                self._wait_for_room(step, reason)
                return False
            _see(step, sight)
            step.state, step.call_key = StepState.CALLING, uuid5(run.pk, step.key).hex
            step.tries += 1
            step.next_at = self.means.now
            step.started_at = step.started_at or self.means.now
            step.deadline_at = self.means.now + self.terms.timeout_ms * MILLISECOND
            step.reason = ""
            step.save()
            run.first_action_at = run.first_action_at or self.means.now
            self.book.record(step, "asked", {"change": step.change, "resources": step.resources})
        return True

    def _reserve(self, run: HealingRun, step: HealingStep, sight: Sight) -> LimitReason:
        if step.key.startswith(UNDO):
            reserve_undo(step, now=self.means.now)
            return LimitReason.WITHIN
        hold_tenant(run)
        tenant = limits_of(policy_of(run.tenant_id))
        return reserve(step, sight, self.terms.limits, tenant, now=self.means.now)

    def _wait_for_room(self, step: HealingStep, reason: LimitReason) -> None:
        now = self.means.now
        step.started_at = step.started_at or now
        step.reserved, step.reserved_at = 0, None
        if now >= step.started_at + self.terms.limits.wait * MILLISECOND:
            self.book.close(step, StepState.FAILED, f"limit {reason} left no room in time")
            return
        step.reason, step.next_at = f"limit {reason} leaves no room", now + LIMIT_PAUSE
        step.save()

    def _ask(self, door: Door, sight: Sight) -> None:
        try:
            receipt = door.action.act(door.session, door.parameters, sight, key=self._key())
        except AdapterError as error:
            self._refused(door, "act", error)
            return
        self._accepted(door, "act", receipt)
        self._follow(door, receipt)

    def _key(self) -> str:
        return uuid5(self.claim.run_id, self.step.key).hex

    def _accepted(self, door: Door, phase: str, receipt: Receipt) -> None:
        with held(self.claim) as run:
            step = self.book.keep(run, phase, door.exchanges())
            step.state, step.doubtful = StepState.ACCEPTED, False
            step.receipt, step.request_id = dict(receipt.operation), receipt.request_id[:200]
            step.next_at, step.polls, step.reason = self.means.now, 0, ""
            step.save()

    def _resume(self, door: Door) -> None:
        """The step was cut, or its answer was lost."""
        if not self._count_try(door):
            return
        step = self.step
        found: Receipt | None = None
        resume = after_lost_answer(door.action.repeat, happened=False, looked=False)
        if resume is Resume.LOOK:
            try:
                found = door.action.happened(door.session, door.parameters, step.before, key=self._key())
            except AdapterError as error:
                self._later(door, Later("happened", _words(error)))
                return
            resume = after_lost_answer(door.action.repeat, happened=found is not None, looked=True)
        if resume is Resume.ASK_AGAIN:
            self._ask(door, Sight(tuple(step.resources), step.change, step.group_size, step.before))
        elif found is not None:
            self._accepted(door, "happened", found)
        else:
            self.book.end(
                "happened", StepState.UNCERTAIN, "its answer was lost, and nobody can tell", door.exchanges()
            )

    def _count_try(self, door: Door) -> bool:
        """Store that it is tried again, so that a call that always ends the worker is not tried for ever."""
        with held(self.claim) as run:
            step = self.book.keep(run, "act", door.exchanges())
            if step.tries >= MAX_TRIES:
                self.book.close(step, StepState.UNCERTAIN, f"its answer was lost {step.tries} times")
                return False
            step.tries += 1
            step.doubtful = True
            step.save()
            self.step.doubtful = True
        return True

    def _refused(self, door: Door, phase: str, error: AdapterError) -> None:
        """A call was not accepted; or perhaps it was."""
        if phase == "act" and not error.certain:
            self._later(door, Later(phase, _words(error), doubtful=True))
        elif self.step.doubtful:
            self._refused_in_doubt(door, phase, error)
        elif error.retryable:
            asked_s = getattr(error, "retry_after_s", None)
            self._later(door, Later(phase, _words(error), asked_s=asked_s, pending=True))
        else:
            self.book.end(phase, StepState.FAILED, _words(error), door.exchanges())

    def _refused_in_doubt(self, door: Door, phase: str, error: AdapterError) -> None:
        """The call before may have been accepted: that this one was not tells nothing about it."""
        observed = after_lost_answer(door.action.repeat, happened=False, looked=False) is Resume.LOOK
        if error.retryable or observed:
            self._later(door, Later(phase, _words(error), asked_s=getattr(error, "retry_after_s", None)))
        else:
            self.book.end(
                phase, StepState.UNCERTAIN, f"after a lost answer: {_words(error)}", door.exchanges()
            )

    def _follow(self, door: Door, receipt: Receipt) -> None:
        """How far an accepted action has come."""
        try:
            progress = door.action.progress(door.session, door.parameters, receipt)
        except (ResourceGone, ActionRefused) as error:
            self.book.end("progress", StepState.FAILED, _words(error), door.exchanges())
            return
        except AdapterError as error:
            self._later(door, Later("progress", _words(error)))
            return
        if progress.stage is Stage.RUNNING:
            self._poll(door, progress.detail)
        else:
            state = StepState.DONE if progress.stage is Stage.DONE else StepState.FAILED
            self.book.end("progress", state, progress.detail, door.exchanges())

    def _poll(self, door: Door, detail: str) -> None:
        with held(self.claim) as run:
            step = self.book.keep(run, "progress", door.exchanges())
            if self.book.is_late(step):
                self.book.close(step, StepState.FAILED, f"not done in time: {detail}")
                return
            step.next_at = self.means.now + poll_after_ms(step.polls) * MILLISECOND
            step.polls, step.reason = step.polls + 1, detail[:MAX_REASON]
            step.save()


def _see(step: HealingStep, sight: Sight) -> None:
    step.before, step.change = dict(sight.before), sight.change
    step.resources, step.group_size = sorted(sight.resources), sight.group_size
    step.cost_per_hour = sight.cost_per_hour


def _words(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(InvalidParameter("inputs", error.error_count(), "what the action takes"))
    code = getattr(error, "code", "")
    return f"{code}: {error}" if code else str(error)
