"""What the operations digest tells of healing: what ran, who approved it, how it ended, how long it took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from healing.execution.states import RunState, StepState
from healing.models import Approval, HealingRun, HealingStep
from rules.reports.facts import Repair
from rules.reports.periods import Period
from rules.services.reportsources import Repairs

NEWEST: Final = 20
MAX_WORDS: Final = 200


def repairs_in(tenant_id: UUID, period: Period) -> Repairs:
    """Runs that began to exist in a period and were no rehearsal."""
    runs = HealingRun.objects.for_tenant(tenant_id).filter(
        dry=False, created_at__gte=period.start, created_at__lt=period.end
    )
    newest = list(runs.order_by("-created_at", "id")[:NEWEST])
    did = _by_run(
        HealingStep.objects.for_tenant(tenant_id)
        .filter(run__in=newest, state=StepState.DONE)
        .exclude(change="")
        .order_by("position")
        .values_list("run_id", "change")
    )
    people = _by_run(
        Approval.objects.for_tenant(tenant_id)
        .filter(run__in=newest, approves=True, spent_at__isnull=False)
        .order_by("at")
        .values_list("run_id", "person")
    )
    told = [
        Repair(
            playbook=run.playbook_name,
            did="; ".join(did.get(run.pk, []))[:MAX_WORDS],
            state=run.state,
            approved_by=people.get(run.pk, []),
            at=run.caused_at.isoformat(),
            seconds=_seconds(run),
        )
        for run in newest
    ]
    return Repairs(told, runs.filter(state=RunState.SUCCEEDED).count(), runs.count())


def _by_run(rows: Iterable[tuple[UUID, str]]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    for run_id, text in rows:
        known = found.setdefault(run_id, [])
        if text not in known:
            known.append(text)
    return found


def _seconds(run: HealingRun) -> float | None:
    if run.state != RunState.SUCCEEDED or run.finished_at is None:
        return None
    return (run.finished_at - run.caused_at).total_seconds()
