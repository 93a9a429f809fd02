"""What people do with runs: cancel them, and say what became of a step that nobody can tell of."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import Conflict
from healing.execution.states import RunEvent, RunState, StepState
from healing.models import HealingRun, HealingStep
from healing.playbooks.rollback import UNDO
from healing.services.ending import move
from healing.services.people import check_person

_CANCELLABLE = frozenset(
    {RunState.WAITING, RunState.HELD, RunState.AWAITING, RunState.RUNNING, RunState.VERIFYING}
)


def cancel(tenant_id: UUID, run_id: UUID, author: Author) -> HealingRun:
    """Have a run take no further step. What was accepted is followed to its end, and stands.

    Raises
    ------
    Conflict
        If it has ended, takes steps back, or is uncertain.
    """
    with transaction.atomic():
        run = _held(tenant_id, run_id)
        if RunState(run.state) not in _CANCELLABLE:
            raise Conflict(f"a run that is {run.state} cannot be cancelled")
        run.cancelled_by, run.next_at = author.name, author.now
        run.save(update_fields=["cancelled_by", "next_at"])
        _record(run, "cancel", {}, author)
    return run


def settle(tenant_id: UUID, run_id: UUID, author: Author, *, happened: bool, is_person: bool) -> HealingRun:
    """Say whether the call of the uncertain step was accepted. The run goes on from there.

    Raises
    ------
    Conflict, NotAPerson
    """
    check_person(author.name, is_person=is_person)
    with transaction.atomic():
        run = _held(tenant_id, run_id)
        steps = HealingStep.objects.for_tenant(tenant_id).filter(run=run, state=StepState.UNCERTAIN)
        step = steps.order_by("position").first()
        if run.state != RunState.UNCERTAIN or step is None:
            raise Conflict(f"no step of the run is uncertain: it is {run.state}")
        step.state = StepState.DONE if happened else StepState.FAILED
        step.receipt = {} if happened else None
        step.reason = f"{author.name} said that it {'happened' if happened else 'did not happen'}"
        step.result = {"held": happened, "detail": step.reason, "count": len(step.resources)}
        step.doubtful, step.finished_at = False, author.now
        step.save()
        event = RunEvent.ROLL_BACK if step.key.startswith(UNDO) else RunEvent.SETTLE
        _record(run, "settled", {"key": step.key, "happened": happened}, author)
        move(run, event, step.reason, now=author.now)
        run.next_at = author.now
        run.save()
    return run


def _held(tenant_id: UUID, run_id: UUID) -> HealingRun:
    rows = HealingRun.objects.for_tenant(tenant_id).select_for_update()
    found: HealingRun = rows.get(pk=run_id)
    return found


def _record(run: HealingRun, what: str, detail: dict[str, object], author: Author) -> None:
    deed = Deed(author.name, f"healing_run.{what}", f"healing_run:{run.pk}", detail)
    record(run.tenant_id, deed, at=author.now)
