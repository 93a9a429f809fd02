"""Claiming automations that are due, and moving each on once: look, propose, and act where that is allowed.

For each: 1. Claim: lease and fencing token. 2. Look, which changes nothing but may take its time. 3. In one
transaction that holds the row and checks the token: write the proposal, start the run, keep the tally.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import redis
from django.db import connection, transaction

from alertsite.audit.services import Author
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from healing.automation.terms import MaintainTerms, PlaceTerms, ScaleTerms, TuneTerms
from healing.models import Automation, HealingRun, Proposal
from healing.services import placing, proposals, scaling, tuning
from healing.services.automations import terms_of
from healing.services.fleet import Fleet
from healing.services.holding import MAX_REASON
from healing.services.maintaining import maintain
from healing.services.means import Means
from healing.services.proposals import Change
from healing.services.stepbook import MILLISECOND

LEASE: Final = timedelta(seconds=90)
LONG_LEASE: Final = timedelta(seconds=600)
"""Of jobs by the clock: longer than their task may run."""
AT_ONCE: Final = 100
_CLAIM: Final = """
WITH taken AS (
    SELECT id FROM healing_automation
    WHERE enabled AND next_due_at <= %(now)s AND leased_until <= %(now)s
    ORDER BY next_due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE healing_automation held
SET leased_until = CASE held.kind WHEN 'maintain' THEN %(long)s::timestamptz ELSE %(until)s::timestamptz END,
    fencing_token = held.fencing_token + 1
FROM taken WHERE held.id = taken.id RETURNING held.id, held.tenant_id, held.fencing_token, held.kind
"""


@dataclass(frozen=True, slots=True)
class AutomationClaim:
    """An automation that is ours until the lease ends or somebody holds a newer token."""

    automation_id: UUID
    tenant_id: UUID
    fencing_token: int
    kind: str


def claim_due(*, now: datetime) -> list[AutomationClaim]:
    """Take the automations that are due and free, the most overdue first."""
    parameters: dict[str, Any] = {
        "now": now, "until": now + LEASE, "long": now + LONG_LEASE, "limit": AT_ONCE
    }  # fmt: skip
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [AutomationClaim(*row) for row in cursor.fetchall()]


def request(automation_id: UUID, *, now: datetime) -> bool:
    """The clock has struck for a job. Whether there is such a job."""
    with platform_scope():
        rows = Automation.across_tenants.filter(pk=automation_id, enabled=True, kind="maintain")
        return bool(rows.update(next_due_at=now))


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look comes to. `started` starts the run of a proposal that is approved at once."""

    changes: list[Change]
    acting: bool = False
    at_once: bool = False
    tally: Mapping[str, Any] = field(default_factory=dict)
    started: Callable[[Proposal], HealingRun] | None = None


def move_on(claim: AutomationClaim, means: Means, fleet: Fleet) -> bool:
    """Look once and do what follows. Whether the claim still held."""
    with tenant_scope(claim.tenant_id):
        rows = Automation.objects.for_tenant(claim.tenant_id)
        automation = rows.filter(pk=claim.automation_id, fencing_token=claim.fencing_token).first()
        if automation is None:
            return False
        fault, found = "", _Found([])
        try:
            found = _look(automation, means, fleet)
        except (PlatformError, redis.RedisError) as error:
            fault = str(error)[:MAX_REASON]
        if not _keep(automation, found, fault, means.now):
            return False
        if automation.kind == Automation.Kind.TUNE:
            tuning.carry_out(automation, fleet, now=means.now)
        _give_back(automation, means.now)
        return True


def _look(automation: Automation, means: Means, fleet: Fleet) -> _Found:
    terms = terms_of(automation)
    if isinstance(terms, TuneTerms):
        seen = tuning.look(automation.tenant_id, fleet, now=means.now)
        # A person may approve what an automation that is not armed proposes: nothing here is in the shadow.
        return _Found(tuning.changes(seen, terms), acting=True, at_once=automation.armed)
    if isinstance(terms, ScaleTerms):
        return _scaled(automation, terms, means)
    if isinstance(terms, PlaceTerms):
        change = placing.change(placing.look(automation, terms, now=means.now), terms)
        return _Found([] if change is None else [change], acting=automation.armed)
    maintain(automation, terms, means)
    return _Found([])


def _scaled(automation: Automation, terms: ScaleTerms, means: Means) -> _Found:
    seen = scaling.look(automation, terms, means)

    def start(proposal: Proposal) -> HealingRun:
        return scaling.start(seen, terms, proposal, now=means.now)

    changes = [] if seen.change is None else [seen.change]
    return _Found(changes, seen.acting, seen.acting, seen.tally, start)


def _keep(looked: Automation, found: _Found, fault: str, now: datetime) -> bool:
    """Write down what one look came to. Whether the claim still held.

    What was found on terms that were changed meanwhile, or for somebody who took the arming back, is worth
    nothing: it is looked at anew.
    """
    with transaction.atomic():
        rows = Automation.objects.for_tenant(looked.tenant_id).select_for_update()
        held = rows.filter(pk=looked.pk, fencing_token=looked.fencing_token).first()
        if held is None:
            return False
        changed = (held.kind, held.terms, held.armed_at) != (looked.kind, looked.terms, looked.armed_at)
        if changed and held.kind != Automation.Kind.MAINTAIN:  # of those, all is done by now
            return True
        for change in found.changes:
            made = proposals.propose(held, change, shadow=not found.acting, now=now)
            if made is not None and found.at_once:
                run = found.started(made) if found.started is not None else None
                proposals.approve(made, Author(held.armed_by, now), run=run)
        held.tally, held.fault = dict(found.tally) or held.tally, fault
        held.next_due_at = _next_due(held, now)
        held.save(update_fields=["tally", "fault", "next_due_at"])
    return True


def _give_back(looked: Automation, now: datetime) -> None:
    """End the lease: until then nobody else carries out what was approved."""
    rows = Automation.objects.for_tenant(looked.tenant_id)
    rows.filter(pk=looked.pk, fencing_token=looked.fencing_token).update(leased_until=now)


def _next_due(automation: Automation, now: datetime) -> datetime | None:
    """None for what is done by the clock, which says itself when."""
    try:
        terms = terms_of(automation)
    except PlatformError:
        return None
    return None if isinstance(terms, MaintainTerms) else now + terms.every * MILLISECOND


def approve(proposal: Proposal, author: Author) -> Proposal:
    """Have a proposal carried out, as its kind is.

    Raises
    ------
    Conflict
    """
    if proposal.kind == Automation.Kind.PLACE:
        return placing.approve_move(proposal, author)
    return proposals.approve(proposal, author)
