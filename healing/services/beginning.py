"""How a run begins, and how it waits for people: what is in the way, who is asked, what they said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alertsite.tenancy.bulk import insert_rows
from healing.approvals.blast_radius import StartReason
from healing.approvals.quorum import QuorumReason
from healing.execution.states import RunEvent, RunState, StepState
from healing.models import HealingRun
from healing.playbooks.planner import Plan
from healing.playbooks.rollback import UNDO
from healing.services import telling
from healing.services.approving import is_granted, needed_for, spend, standing
from healing.services.claiming import RunClaim
from healing.services.ending import move
from healing.services.holding import held, locked_step, rest
from healing.services.looking import alert_fires, maintenance
from healing.services.means import Means
from healing.services.policies import limits_of, policy_of
from healing.services.reserving import hold_tenant, start_reason
from healing.services.scenes import hash_of, new_steps, plan_of

PAUSE: Final = timedelta(seconds=5)
"""How soon a run that is held, or awaits people, is looked at again."""
MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Next:
    """What is to happen to a run, and why."""

    event: RunEvent
    reason: str = ""


def begin(claim: RunClaim, means: Means, seen: HealingRun) -> bool:
    """Begin a run, or say what is in the way. Whether it goes on at once."""
    with held(claim) as run:
        run.playbook, run.version = seen.playbook, seen.version  # read just before, with the run
        plan, now = plan_of(run), means.now
        chosen = _chosen(run, plan, now)
        if chosen.event is RunEvent.ASK:
            ask(run, plan, needed_for(run, plan), subject="", now=now)
        else:
            move(run, chosen.event, chosen.reason, now=now)
        if chosen.event is RunEvent.BEGIN:
            run.began_at = now
            insert_rows(new_steps(run, plan))
            return True
        rest(run, now + PAUSE, now=now)
        return False


def _chosen(run: HealingRun, plan: Plan, now: datetime) -> Next:
    gone = _gone(run, plan, now)
    if gone is not None:
        return gone
    if run.dry:
        return Next(RunEvent.BEGIN)
    window = maintenance(run, now=now)
    if window:
        return Next(RunEvent.HOLD, window)
    hold_tenant(run)
    assert run.playbook is not None
    tenant = limits_of(policy_of(run.tenant_id))
    is_open = run.playbook.breaker_opened_at is not None
    reason = start_reason(run, plan.playbook.limits, tenant, breaker_open=is_open, now=now)
    if reason is StartReason.BREAKER_OPEN:
        return Next(RunEvent.GIVE_UP, reason)
    if reason is not StartReason.FREE:
        return Next(RunEvent.HOLD, reason)
    return Next(RunEvent.BEGIN if is_granted(run, plan, needed_for(run, plan)) else RunEvent.ASK)


def _gone(run: HealingRun, plan: Plan, now: datetime) -> Next | None:
    """Why it will not begin any more."""
    if run.cancelled_by:
        return Next(RunEvent.CANCEL, f"cancelled by {run.cancelled_by}")
    playbook = run.playbook
    if playbook is None or not playbook.enabled:
        return Next(RunEvent.GIVE_UP, "the playbook is gone or disabled")
    if not run.dry and (not playbook.armed or playbook.version_id != run.version_id):
        return Next(RunEvent.GIVE_UP, "this version of the playbook is not armed any more")
    if run.cause == HealingRun.Cause.ALERT and not alert_fires(run):
        return Next(RunEvent.GIVE_UP, "the alert is over")
    since = run.created_at if run.expires_at is None else run.expires_at
    if now >= since + plan.playbook.limits.wait * MILLISECOND:
        return Next(RunEvent.GIVE_UP, f"it had to wait too long: {run.reason}")
    return None


def ask(run: HealingRun, plan: Plan, needed: int, *, subject: str, now: datetime) -> None:
    """Await people. Called with the run held."""
    what = f"Playbook {run.playbook_name}" + (f", step {subject}" if subject else "")
    move(run, RunEvent.ASK, f"{what} awaits approval", now=now)
    run.subject, run.needed = subject, needed
    run.plan_hash = hash_of(run, plan)
    run.expires_at = now + plan.playbook.approval.expires * MILLISECOND
    telling.ask(run, what, now=now)


def decide(claim: RunClaim, means: Means) -> bool:
    """Look what people said. Whether the run goes on at once."""
    with held(claim) as run:
        now = means.now
        if run.subject:
            return _decide_step(run, now)
        verdict = standing(run, now=now)
        if verdict is QuorumReason.APPROVED:
            run.granted, run.granted_hash = spend(run, now=now), run.plan_hash
            move(run, RunEvent.APPROVE, now=now)
            return True
        if verdict is QuorumReason.REJECTED:
            move(run, RunEvent.REJECT, "a person said no", now=now)
        elif verdict is QuorumReason.EXPIRED:
            move(run, RunEvent.EXPIRE, "nobody approved in time", now=now)
        elif gone := _gone(run, plan_of(run), now):
            move(run, gone.event, gone.reason, now=now)
        rest(run, now + PAUSE, now=now)
        return False


def _decide_step(run: HealingRun, now: datetime) -> bool:
    """In the middle of a run, a no or nobody's yes fails the step; the run goes on from there."""
    verdict = standing(run, now=now)
    if verdict is QuorumReason.WAITING and not run.cancelled_by:
        rest(run, now + PAUSE, now=now)
        return False
    step = locked_step(run, run.subject)
    if verdict is QuorumReason.APPROVED and not run.cancelled_by:
        step.granted = spend(run, now=now)
        if step.kind == "approve":
            step.state, step.finished_at = StepState.DONE, now
    else:
        reason = f"cancelled by {run.cancelled_by}" if run.cancelled_by else f"not approved: {verdict}"
        step.state, step.reason, step.finished_at = StepState.FAILED, reason, now
    step.result = {"held": step.state != StepState.FAILED}
    step.save()
    back = run.subject.startswith(UNDO)
    run.subject = ""
    move(run, RunEvent.ROLL_BACK if back else RunEvent.APPROVE_STEP, now=now)
    return RunState(run.state) in {RunState.RUNNING, RunState.ROLLING_BACK}
