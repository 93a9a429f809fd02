"""Ends of runs: the breaker, the pages, the audit chain, and the outcome as series."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Sum

from alertsite.audit.services import Deed, record
from alertsite.core.clock import from_datetime, to_datetime
from healing.execution.states import ENDS, Breaker, RunEvent, RunState, after_run, next_run_state
from healing.models import HealingRun, HealingStep, Playbook
from healing.services import telling
from healing.services.scenes import plan_of
from healing.services.stepbook import ACTOR

_PAGED: Final = {
    RunState.ROLLBACK_FAILED: "the rollback failed; what was done stands",
    RunState.UNCERTAIN: "a call may have been accepted, and nobody can tell: say what became of it",
}


def move(run: HealingRun, event: RunEvent, reason: str = "", *, now: datetime) -> RunState:
    """Move a run on, with all that follows from where it comes to. Called with the run held.

    Raises
    ------
    ImpossibleMove
    """
    before = RunState(run.state)
    state = next_run_state(before, event)
    run.state, run.reason = state, reason
    if before is RunState.AWAITING:
        telling.end_asking(run, now=now)
    if before is RunState.UNCERTAIN:
        telling.end_page(run, now=now)
    if state in _PAGED:
        telling.page(run, f"{_PAGED[state]} ({reason})", now=now)
    if state in ENDS:
        _finish(run, state, now=now)
    if state is not before:
        detail = {"playbook": run.playbook_name, "reason": reason, "dry": run.dry}
        deed = Deed(ACTOR, f"healing_run.{state}", f"healing_run:{run.pk}", detail)
        record(run.tenant_id, deed, at=now)
    return state


def _finish(run: HealingRun, state: RunState, *, now: datetime) -> None:
    run.finished_at, run.next_at = now, None
    steps = HealingStep.objects.for_tenant(run.tenant_id).filter(run=run, state="done")
    run.cost_per_hour = steps.aggregate(total=Sum("cost_per_hour"))["total"]
    if not run.dry and run.playbook_id is not None:
        _count(run, state, now=now)


def _count(run: HealingRun, state: RunState, *, now: datetime) -> None:
    """Failures in a row open the breaker, which pages a person."""
    rows = Playbook.objects.for_tenant(run.tenant_id).select_for_update()
    playbook = rows.filter(pk=run.playbook_id).first()
    if playbook is None:
        return
    opened_ms = None if playbook.breaker_opened_at is None else from_datetime(playbook.breaker_opened_at)
    limit = plan_of(run).playbook.breaker.failures
    after = after_run(Breaker(playbook.failures, opened_ms), state, limit=limit, now_ms=from_datetime(now))
    opens = opened_ms is None and after.opened_ms is not None
    playbook.failures = after.failures
    playbook.breaker_opened_at = None if after.opened_ms is None else to_datetime(after.opened_ms)
    playbook.save(update_fields=["failures", "breaker_opened_at"])
    if opens:
        telling.page_breaker(playbook, now=now)
