"""The steps of a run that has begun: which is next, and what each kind does.

Only actions reach out of the platform (`healing.services.acting`); every other kind is one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from alertsite.core.errors import PlatformError
from healing.approvals.policy import NEEDS
from healing.execution.dry_run import condition_holds, describe, gate_is_open, within
from healing.execution.states import RunEvent, StepState, Turn
from healing.models import HealingRun, HealingStep
from healing.playbooks.planner import Gate, Node
from healing.playbooks.steps import ActionStep, ApproveStep, CheckStep, NotifyStep, WaitStep
from healing.services import telling
from healing.services.acting import Acting, Terms
from healing.services.approving import is_granted, needed_for_word
from healing.services.beginning import MILLISECOND, ask
from healing.services.claiming import RunClaim
from healing.services.ending import move
from healing.services.holding import MAX_REASON, held, locked_step, rest
from healing.services.looking import holds
from healing.services.means import Means
from healing.services.scenes import Scene, earliest, scene_of
from healing.services.undoing import finish_badly

CHECK_PAUSE: Final = timedelta(seconds=2)
DAY: Final = timedelta(days=1)


def work(claim: RunClaim, means: Means, run: HealingRun) -> bool:
    """Do what is due of a run that is running. Whether there may be more to do at once."""
    return _Work(claim, means, scene_of(run), means.now).step_on()


@dataclass(frozen=True, slots=True)
class _Work:
    claim: RunClaim
    means: Means
    scene: Scene
    now: datetime

    def step_on(self) -> bool:
        """Do the next thing of a run's steps. Whether there may be more to do at once."""
        scene, in_flight = self.scene, self.scene.in_flight()
        if uncertain := scene.of_state(StepState.UNCERTAIN):
            return self._move(RunEvent.LOSE, uncertain[0].reason)
        for step in in_flight:
            if self._is_due(step):
                self._follow(scene.node(step), step)
                return True
        if scene.of_state(StepState.FAILED) or scene.run.cancelled_by:
            return self._rest(in_flight) if in_flight else finish_badly(self.claim, self.means, scene)
        return self._take_next()

    def _take_next(self) -> bool:
        for node, step, turn in self.scene.turns():
            if turn is Turn.SKIP:
                self._skip(step, "behind a closed gate")
                return True
            if turn is Turn.READY and self._is_due(step):
                return self._begin(node, step)
        return self._finish() if self.scene.over else self._rest(list(self.scene.steps.values()))

    def _is_due(self, step: HealingStep) -> bool:
        return step.next_at is None or step.next_at <= self.now

    def _rest(self, steps: list[HealingStep]) -> bool:
        waiting = [step.next_at for step in steps if step.finished_at is None]
        with held(self.claim) as run:
            rest(run, earliest(waiting, self.now + timedelta(seconds=5)), now=self.now)
        return False

    def _move(self, event: RunEvent, reason: str) -> bool:
        with held(self.claim) as run:
            move(run, event, reason, now=self.now)
            rest(run, None if event is RunEvent.LOSE else self.now, now=self.now)
        return False

    def _finish(self) -> bool:
        """Every step has ended well."""
        terms = self.scene.plan.playbook.verification
        acted = any(step.receipt is not None for step in self.scene.steps.values())
        with held(self.claim) as run:
            if run.dry:
                move(run, RunEvent.REHEARSED, "every step was looked at", now=self.now)
            elif terms is None or not acted:
                move(run, RunEvent.STEPS_DONE, "every step is done", now=self.now)
            else:
                move(run, RunEvent.VERIFY, now=self.now)
                run.verify_until = self.now + terms.within * MILLISECOND
                return True
            rest(run, None, now=self.now)
        return False

    def _skip(self, step: HealingStep, reason: str) -> None:
        self._close(step.key, StepState.SKIPPED, reason, {})

    def _close(self, key: str, state: StepState, reason: str, result: dict[str, Any]) -> None:
        with held(self.claim) as run:
            step = locked_step(run, key)
            step.state, step.reason, step.result = state, reason[:MAX_REASON], result
            step.started_at = step.started_at or self.now
            step.finished_at, step.next_at = self.now, None
            step.save()

    def _accept(self, key: str, until: datetime, **values: Any) -> None:
        with held(self.claim) as run:
            step = locked_step(run, key)
            step.state, step.started_at, step.next_at = StepState.ACCEPTED, self.now, until
            for name, value in values.items():
                setattr(step, name, value)
            step.save()

    def _begin(self, node: Node, step: HealingStep) -> bool:
        """Begin a step that is ready. Whether the run goes on at once."""
        scope = self.scene.scope
        if isinstance(node.step, Gate):
            opens = gate_is_open(node.step, within(node, scope))
            self._close(step.key, StepState.DONE, "", {"open": opens})
            return True
        if not condition_holds(node, scope):
            self._skip(step, "its condition does not hold")
            return True
        try:
            described = describe(node, scope)
        except (PlatformError, ValidationError) as error:
            self._close(step.key, StepState.FAILED, f"inputs: {error}", {"held": False})
            return True
        if isinstance(node.step, ActionStep):
            return self._begin_action(node.step, step, described)
        return self._begin_plain(node, step, described)

    def _begin_plain(self, node: Node, step: HealingStep, described: dict[str, Any]) -> bool:
        written, dry = node.step, self.scene.run.dry
        if isinstance(written, WaitStep):
            wait = 0 if dry else written.wait
            self._accept(step.key, self.now + wait * MILLISECOND)
        elif isinstance(written, CheckStep):
            deadline = self.now + (0 if dry else written.within) * MILLISECOND
            self._accept(step.key, self.now, inputs=described, deadline_at=deadline)
        elif isinstance(written, NotifyStep):
            self._notify(written, step, described)
        elif isinstance(written, ApproveStep):
            return self._approve(written, step)
        return True

    def _notify(self, written: NotifyStep, step: HealingStep, described: dict[str, Any]) -> None:
        if self.scene.run.dry:
            self._close(step.key, StepState.DONE, "rehearsed: nobody was told", {"held": True})
            return
        with held(self.claim) as run:
            row = locked_step(run, step.key)
            try:
                telling.send(run, row, written.notify, described["text"], now=self.now)
            except telling.UnknownReceiver as error:
                row.state, row.reason = StepState.FAILED, str(error)
            else:
                row.state, row.result = StepState.DONE, {"held": True}
            row.inputs, row.finished_at = described, self.now
            row.save()

    def _approve(self, written: ApproveStep, step: HealingStep) -> bool:
        if self.scene.run.dry:
            self._close(step.key, StepState.DONE, f"rehearsed: needs {written.approve}", {"held": True})
            return True
        with held(self.claim) as run:
            ask(run, self.scene.plan, NEEDS[written.approve], subject=step.key, now=self.now)
            rest(run, self.now, now=self.now)
        return False

    def _begin_action(self, written: ActionStep, step: HealingStep, described: dict[str, Any]) -> bool:
        """Fill in its inputs, see that it is allowed, and ask.

        Grants are spent by whoever holds the claim alone: they are as they were read, or the claim is lost.
        """
        seen, plan = self.scene.run, self.scene.plan
        needed = 0 if seen.dry else needed_for_word(seen, plan, written.action)
        if step.granted < needed and not is_granted(seen, plan, needed):
            with held(self.claim) as run:
                ask(run, plan, needed, subject=step.key, now=self.now)
                rest(run, self.now, now=self.now)
            return False
        step.inputs = described["with"]
        acting = self._acting(written, step)
        if seen.dry:
            acting.rehearse()
        else:
            acting.move()
        return True

    def _acting(self, written: ActionStep, step: HealingStep) -> Acting:
        terms = Terms(self.scene.plan.playbook.limits, written.timeout)
        return Acting(self.claim, self.means, step, terms)

    def _follow(self, node: Node, step: HealingStep) -> None:
        """Move on a step that was begun."""
        if isinstance(node.step, ActionStep):
            self._acting(node.step, step).move()
        elif isinstance(node.step, CheckStep):
            self._check(node.step, step)
        else:
            self._close(step.key, StepState.DONE, "", {"held": True})

    def _check(self, written: CheckStep, step: HealingStep) -> None:
        held_now = holds(self.claim.tenant_id, written.check, step.inputs["where"], now=self.now)
        if held_now:
            self._close(step.key, StepState.DONE, "it holds", {"held": True})
        elif step.deadline_at is not None and self.now < step.deadline_at:
            self._accept(step.key, min(self.now + CHECK_PAUSE, step.deadline_at))
        elif written.required:
            reason = "it cannot be told" if held_now is None else "it does not hold"
            self._close(step.key, StepState.FAILED, reason, {"held": False})
        else:
            self._close(step.key, StepState.DONE, "it does not hold", {"held": False})
