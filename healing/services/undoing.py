"""Taking back what was done, the last first, and ending a run that failed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import ValidationError

from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from cloud.adapters.vocabulary import VOCABULARY, Parameters
from healing.execution.states import STEP_ENDS, RunEvent, RunState, StepState
from healing.models import HealingRun, HealingStep
from healing.playbooks.rollback import UNDO, Accepted, to_take_back
from healing.playbooks.steps import ActionStep
from healing.services.acting import Acting, Terms
from healing.services.approving import is_granted, needed_for_word
from healing.services.beginning import ask
from healing.services.claiming import RunClaim
from healing.services.ending import move
from healing.services.holding import MAX_REASON, held, locked_step, rest
from healing.services.means import Means
from healing.services.scenes import Scene, earliest, scene_of

PAUSE: Final = timedelta(seconds=5)
UNDO_TIMEOUT_MS: Final = 600_000


def finish_badly(claim: RunClaim, means: Means, scene: Scene) -> bool:
    """A step failed, or somebody cancelled the run. Whether there is something to take back."""
    failed = scene.of_state(StepState.FAILED)
    with held(claim) as run:
        now = means.now
        if run.cancelled_by and not failed:
            move(run, RunEvent.CANCEL, f"cancelled by {run.cancelled_by}", now=now)
            rest(run, None, now=now)
            return False
        reason = f"step {failed[0].key}: {failed[0].reason}"
        return roll_back(run, scene, means, reason)


def roll_back(run: HealingRun, scene: Scene, means: Means, reason: str) -> bool:
    """Begin to take back. Whether there is something to take back. Called with the run held."""
    now = means.now
    rows = [] if run.dry else _undo_steps(run, scene, means)
    HealingStep.objects.for_tenant(run.tenant_id).bulk_create(rows, ignore_conflicts=True)
    move(run, RunEvent.ROLL_BACK if rows else RunEvent.FAIL, reason, now=now)
    rest(run, now, now=now)
    return bool(rows)


def _undo_steps(run: HealingRun, scene: Scene, means: Means) -> list[HealingStep]:
    """A step for each action that is to be taken back."""
    known = {step.key for step in scene.undoing}
    taken = [_accepted(scene, step) for step in scene.steps.values() if step.receipt is not None]
    first = len(scene.steps) + len(known)
    rows: list[HealingStep] = []
    for key in to_take_back(taken):
        row = _undo_step(run, scene.steps[key], means)
        if row is not None and row.key not in known:
            row.position = first + len(rows)
            rows.append(row)
    return rows


def _accepted(scene: Scene, step: HealingStep) -> Accepted:
    written = scene.node(step).step
    assert isinstance(written, ActionStep)
    ended_ms = 0 if step.finished_at is None else from_datetime(step.finished_at)
    return Accepted(step.key, ended_ms, written.word.inverse is not None, written.undo)


def _undo_step(run: HealingRun, step: HealingStep, means: Means) -> HealingStep | None:
    """The step that takes another back; one that has failed if that cannot be said; None if nothing does."""
    row = HealingStep(
        tenant_id=run.tenant_id,
        run=run,
        key=UNDO + step.key,
        kind="undo",
        word=VOCABULARY[step.word].inverse or "",
        account=step.account,
    )
    try:
        with means.open_account(run.tenant_id, step.account) as opened:
            action = opened.adapter.actions[step.word]
            parameters = action.word.parameters.model_validate(step.inputs)
            inverse: Parameters | None = action.undo(parameters, step.before)
    except (PlatformError, ValidationError) as error:
        row.state, row.reason, row.finished_at = StepState.FAILED, str(error)[:MAX_REASON], means.now
        return row
    if inverse is None:
        return None
    row.inputs = inverse.model_dump(mode="json")
    return row


def undo(claim: RunClaim, means: Means, run: HealingRun) -> bool:
    """Move a rollback on. Whether there may be more to do at once."""
    scene = scene_of(run)
    for step in scene.undoing:
        state = StepState(step.state)
        if state in {StepState.FAILED, StepState.UNCERTAIN}:
            event = RunEvent.UNDO_FAILED if state is StepState.FAILED else RunEvent.LOSE
            return _stop(claim, means, event, f"step {step.key}: {step.reason}")
        if state not in STEP_ENDS:
            return _move_undo(claim, means, scene, step)
    failed = scene.of_state(StepState.FAILED)
    why = f"step {failed[0].key}: {failed[0].reason}" if failed else "it was not healthy in time"
    return _stop(claim, means, RunEvent.UNDONE, why)


def _stop(claim: RunClaim, means: Means, event: RunEvent, reason: str) -> bool:
    with held(claim) as run:
        move(run, event, reason, now=means.now)
        rest(run, None, now=means.now)
    return False


def _move_undo(claim: RunClaim, means: Means, scene: Scene, step: HealingStep) -> bool:
    if step.next_at is not None and step.next_at > means.now:
        with held(claim) as run:
            rest(run, earliest([step.next_at], means.now + PAUSE), now=means.now)
        return False
    if step.state == StepState.PENDING and not _allowed(claim, means, scene, step):
        return False
    Acting(claim, means, step, Terms(scene.plan.playbook.limits, UNDO_TIMEOUT_MS)).move()
    return True


def _allowed(claim: RunClaim, means: Means, scene: Scene, step: HealingStep) -> bool:
    """An inverse may be riskier than what it takes back: then people are asked for it alone."""
    with held(claim) as run:
        row = locked_step(run, step.key)
        needed = needed_for_word(run, scene.plan, row.word)
        if row.granted >= needed or is_granted(run, scene.plan, needed):
            return True
        ask(run, scene.plan, needed, subject=row.key, now=means.now)
        rest(run, means.now, now=means.now)
        return RunState(run.state) is not RunState.AWAITING
