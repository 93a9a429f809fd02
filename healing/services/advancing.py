"""Moving claimed runs on, turn by turn. Each turn begins with what is stored and ends with a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import redis
import structlog
from django.db import DatabaseError

from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import tenant_scope
from healing.execution.states import RunState
from healing.models import HealingRun
from healing.services.beginning import begin, decide
from healing.services.claiming import RunClaim
from healing.services.holding import ClaimLost, held, read, rest
from healing.services.means import Means
from healing.services.outcomes import publish
from healing.services.undoing import undo
from healing.services.verifying import verify
from healing.services.working import work

log = structlog.get_logger(__name__)

MAX_TURNS: Final = 60
PATIENCE_MS: Final = 45_000
"""After so long a claimed run is let go between turns, so that one call more still ends within the lease."""


@dataclass(slots=True)
class AdvanceSummary:
    """What became of a batch of runs."""

    runs: int = 0
    ended: int = 0
    lost: int = 0
    failed: int = 0


def advance_claims(claims: Sequence[RunClaim], means: Means) -> AdvanceSummary:
    """Move claimed runs on. One that fails is left to its lease, and stops no other."""
    summary = AdvanceSummary()
    ended: dict[tuple[UUID, str], HealingRun] = {}
    ends_ms = means.clock.now_ms() + PATIENCE_MS
    for claim in claims:
        try:
            with tenant_scope(claim.tenant_id):
                if means.clock.now_ms() >= ends_ms:
                    let_go(claim, means)
                    continue
                summary.runs += 1
                run = advance(claim, means)
                if run is not None:
                    summary.ended += 1
                if run is not None and not run.dry:
                    ended[claim.tenant_id, run.playbook_name] = run
        except ClaimLost:
            summary.lost += 1
        except (PlatformError, DatabaseError, redis.RedisError) as error:
            summary.failed += 1
            log.warning("healing.failed", run=str(claim.run_id), error=str(error))
    _publish(ended, means)
    return summary


def advance(claim: RunClaim, means: Means) -> HealingRun | None:
    """Move one run on as far as it goes now. The run if it has ended.

    Raises
    ------
    ClaimLost
    """
    ends_ms = means.clock.now_ms() + PATIENCE_MS
    for _ in range(MAX_TURNS):
        if not take_turn(claim, means):
            break
        if means.clock.now_ms() >= ends_ms:
            let_go(claim, means)
            break
    else:
        let_go(claim, means)
    ended = HealingRun.objects.for_tenant(claim.tenant_id).filter(pk=claim.run_id, finished_at__isnull=False)
    return ended.first()


def take_turn(claim: RunClaim, means: Means) -> bool:
    """Do the next thing of a run. Whether there may be more to do at once."""
    run = read(claim)
    state = RunState(run.state)
    if state in {RunState.WAITING, RunState.HELD}:
        return begin(claim, means, run)
    if state is RunState.AWAITING:
        return decide(claim, means)
    if state is RunState.RUNNING:
        return work(claim, means, run)
    if state is RunState.VERIFYING:
        return verify(claim, means, run)
    if state is RunState.ROLLING_BACK:
        return undo(claim, means, run)
    return False


def let_go(claim: RunClaim, means: Means) -> None:
    """Leave the run due, for whoever claims it next."""
    with held(claim) as run:
        rest(run, means.now, now=means.now)


def _publish(ended: Mapping[tuple[UUID, str], HealingRun], means: Means) -> None:
    """Write the outcomes of playbooks whose runs have ended, as series: once for all runs of a batch, since
    each time everything is counted anew.
    """
    for (tenant_id, _), run in ended.items():
        with tenant_scope(tenant_id):
            publish(run, means.clock)
