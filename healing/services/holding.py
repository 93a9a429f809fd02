"""The one way to write to a run that is claimed: locked, and only while the claim holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from alertsite.core.errors import PlatformError
from healing.execution.states import ENDS, RunState
from healing.models import HealingRun, HealingStep
from healing.services.claiming import RunClaim

MAX_REASON = 500
_COLUMNS: Final = [field.attname for field in HealingRun._meta.concrete_fields if not field.primary_key]


class ClaimLost(PlatformError):
    """Somebody else holds the run now; whatever this worker found is theirs to find again."""

    code = "healing.claim_lost"


@contextmanager
def held(claim: RunClaim) -> Iterator[HealingRun]:
    """The run, locked; stored with all that the block writes, or nothing is.

    Raises
    ------
    ClaimLost
    """
    with transaction.atomic():
        rows = HealingRun.objects.for_tenant(claim.tenant_id).select_for_update()
        run = rows.filter(pk=claim.run_id, fencing_token=claim.fencing_token).first()
        if run is None:
            raise ClaimLost(f"run {claim.run_id} is claimed by another")
        before = _values(run)
        yield run
        run.reason = run.reason[:MAX_REASON]
        changed = [name for name, value in _values(run).items() if value != before[name]]
        if changed:
            run.save(update_fields=changed)


def _values(run: HealingRun) -> dict[str, Any]:
    return {name: getattr(run, name) for name in _COLUMNS}


def read(claim: RunClaim) -> HealingRun:
    """The run as it is, to decide what to do; decisions are checked again under the lock.

    Raises
    ------
    ClaimLost
    """
    rows = HealingRun.objects.for_tenant(claim.tenant_id).select_related("playbook", "version")
    run = rows.filter(pk=claim.run_id, fencing_token=claim.fencing_token).first()
    if run is None:
        raise ClaimLost(f"run {claim.run_id} is claimed by another")
    found: HealingRun = run
    return found


def rest(run: HealingRun, until: datetime | None, *, now: datetime) -> None:
    """Let go of the run until a moment. Called with the run held."""
    run.next_at = None if RunState(run.state) in ENDS else until
    run.leased_until = now


def locked_step(run: HealingRun, key: str) -> HealingStep:
    """A step of a run that is held."""
    step: HealingStep = HealingStep.objects.for_tenant(run.tenant_id).get(run=run, key=key)
    step.run = run
    return step
