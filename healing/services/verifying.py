"""Seeing that it worked: the alert is over, or an expression holds, for a time."""

from __future__ import annotations

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from healing.execution.states import RunEvent
from healing.execution.verification import Health, Watch, look
from healing.models import HealingRun
from healing.playbooks.references import Scope
from healing.playbooks.schema import VerifyTerms
from healing.playbooks.templates import fill
from healing.services.beginning import MILLISECOND
from healing.services.claiming import RunClaim
from healing.services.ending import move
from healing.services.holding import held, rest
from healing.services.looking import alert_fires, holds
from healing.services.means import Means
from healing.services.scenes import plan_of, scene_of
from healing.services.undoing import roll_back


def verify(claim: RunClaim, means: Means, seen: HealingRun) -> bool:
    """Look once. Whether there is more to do at once."""
    terms = plan_of(seen).playbook.verification
    assert terms is not None
    healthy = is_healthy(seen, terms, means)
    with held(claim) as run:
        now = means.now
        if run.cancelled_by:
            move(run, RunEvent.CANCEL, f"cancelled by {run.cancelled_by}", now=now)
            rest(run, None, now=now)
            return False
        health, watch = look(_watch(run, terms), healthy=healthy, now_ms=from_datetime(now))
        run.healthy_since = None if watch.since_ms is None else to_datetime(watch.since_ms)
        run.flaps = watch.flaps
        if health is Health.OUT_OF_TIME:
            return roll_back(run, scene_of(run), means, f"not healthy in time, {run.flaps} flaps")
        if health is Health.PROVEN:
            move(run, RunEvent.HEALTHY, "verified", now=now)
        else:
            run.reason = str(health)
        rest(run, now + terms.every * MILLISECOND, now=now)
        return False


def is_healthy(run: HealingRun, terms: VerifyTerms, means: Means) -> bool | None:
    """Whether what was broken is well now; None if that cannot be told."""
    if terms.expr is None:
        return not alert_fires(run)
    scope = Scope(run.labels, run.annotations, run.value)
    try:
        where = fill(dict(terms.where), scope)
    except PlatformError:
        return None
    return holds(run.tenant_id, terms.expr, where, now=means.now)


def _watch(run: HealingRun, terms: VerifyTerms) -> Watch:
    assert run.verify_until is not None
    since_ms = None if run.healthy_since is None else from_datetime(run.healthy_since)
    return Watch(from_datetime(run.verify_until), terms.healthy_for, since_ms, run.flaps)
