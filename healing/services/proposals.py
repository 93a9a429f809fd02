"""What automations propose, what people say to it, and what became of it. Every change is in the audit
chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import Conflict
from alertsite.tenancy.models import User
from alertsite.tenancy.scope import platform_scope
from healing.execution.states import RunState
from healing.models import Automation, HealingRun, Proposal
from healing.services.holding import MAX_REASON
from healing.services.people import check_owner, check_person

ACTOR: Final = "automation"
LIFETIME: Final = timedelta(hours=24)
"""How long a proposal may wait for a person: what was measured is stale then."""
AT_ONCE: Final = 200
_AFTER_RUN: Final[Mapping[str, Proposal.State]] = {
    RunState.SUCCEEDED: Proposal.State.APPLIED,
    RunState.REJECTED: Proposal.State.REFUSED,
    RunState.EXPIRED: Proposal.State.EXPIRED,
    RunState.GIVEN_UP: Proposal.State.EXPIRED,
}
"""What the end of its run makes of a proposal; any other has failed it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What would change, from what to what, and why."""

    subject: str
    current: str
    proposed: str
    reason: str
    measured: Mapping[str, Any] = field(default_factory=dict)


def propose(automation: Automation, change: Change, *, shadow: bool, now: datetime) -> Proposal | None:
    """Write down a proposal. None if the same stands open, or one like it is being carried out; what
    proposed something else is overtaken.
    """
    with transaction.atomic():
        rows = Proposal.objects.for_tenant(automation.tenant_id).select_for_update()
        states = [Proposal.State.PROPOSED, Proposal.State.APPROVED]
        known = rows.filter(automation=automation, subject=change.subject, state__in=states).first()
        if known is not None:
            same = (known.current, known.proposed, known.shadow) == (change.current, change.proposed, shadow)
            if known.state == Proposal.State.APPROVED or same:
                return None
            end(known, Proposal.State.EXPIRED, f"overtaken by {change.proposed}", now=now)
        made: Proposal = Proposal.objects.create(
            tenant_id=automation.tenant_id,
            automation=automation,
            kind=automation.kind,
            subject=change.subject,
            current=change.current,
            proposed=change.proposed,
            reason=change.reason,
            measured=dict(change.measured),
            shadow=shadow,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        _record(made, "made", {"reason": made.reason, "shadow": shadow}, Author(ACTOR, now))
    return made


def approve(proposal: Proposal, author: Author, *, run: HealingRun | None = None) -> Proposal:
    """Have a proposal carried out: by the automation that made it, or by the run that was started for it.

    Raises
    ------
    Conflict
        If it only says what it would do, was decided, is too old, or nobody would carry it out.
    """
    with transaction.atomic():
        held = _open(proposal, author.now)
        if held.automation is None or not held.automation.enabled:
            raise Conflict(
                "the automation that proposed it is gone or switched off: nobody would carry it out"
            )
        held.state, held.decided_by, held.decided_at = Proposal.State.APPROVED, author.name, author.now
        held.run = run
        held.save()
        _record(held, "approved", {} if run is None else {"run": str(run.pk)}, author)
        due = Automation.objects.for_tenant(held.tenant_id).filter(pk=held.automation_id)
        due.exclude(kind=Automation.Kind.MAINTAIN).update(next_due_at=author.now)
    return held


def refuse(proposal: Proposal, author: Author) -> Proposal:
    """Say no to a proposal.

    Raises
    ------
    Conflict
    """
    with transaction.atomic():
        held = _open(proposal, author.now)
        held.decided_by, held.decided_at = author.name, author.now
        return end(held, Proposal.State.REFUSED, f"refused by {author.name}", now=author.now)


def check_may_decide(proposal: Proposal, user: object, name: str) -> None:
    """Only people decide; about the platform itself, an owner of the operator's tenant.

    Raises
    ------
    NotAPerson, NotAnOwner
    """
    check_person(name, is_person=isinstance(user, User))
    if proposal.kind in {Automation.Kind.TUNE, Automation.Kind.MAINTAIN}:
        check_owner(proposal.tenant_id, user)


def _open(proposal: Proposal, now: datetime) -> Proposal:
    rows = Proposal.objects.for_tenant(proposal.tenant_id).select_for_update(of=("self",))
    held: Proposal = rows.select_related("automation").get(pk=proposal.pk)
    if held.shadow or held.state != Proposal.State.PROPOSED:
        state = "in the shadow" if held.shadow else held.state
        raise Conflict(f"the proposal is {state}: nothing is to be decided")
    if now >= held.expires_at:
        raise Conflict(f"the proposal expired at {held.expires_at:%FT%TZ}: what it measured is stale")
    return held


def end(proposal: Proposal, state: Proposal.State, detail: str, *, now: datetime) -> Proposal:
    """A proposal has come to an end."""
    proposal.state, proposal.detail, proposal.ended_at = state, detail[:MAX_REASON], now
    with transaction.atomic():
        proposal.save()
        _record(proposal, str(state), {"detail": proposal.detail}, Author(proposal.decided_by or ACTOR, now))
    return proposal


def orphan(automation: Automation, *, now: datetime) -> int:
    """End what an automation that is removed would have carried out; runs end by themselves. How many."""
    rows = Proposal.objects.for_tenant(automation.tenant_id).select_for_update()
    states = [Proposal.State.PROPOSED, Proposal.State.APPROVED]
    left = list(rows.filter(automation=automation, state__in=states, run=None))
    for one in left:
        end(one, Proposal.State.EXPIRED, "its automation was removed", now=now)
    return len(left)


def settle(*, now: datetime) -> int:
    """End the proposals whose runs have ended, and those that nobody decided in time. How many ended."""
    with platform_scope(), transaction.atomic():
        rows = Proposal.across_tenants.select_for_update(of=("self",), skip_locked=True)
        carried = rows.filter(state=Proposal.State.APPROVED, run__finished_at__isnull=False)
        done = list(carried.select_related("run")[:AT_ONCE])
        for one in done:
            state = _AFTER_RUN.get(one.run.state, Proposal.State.FAILED)
            end(one, state, f"its run {one.run.state}: {one.run.reason}", now=now)
        old = list(rows.filter(state=Proposal.State.PROPOSED, expires_at__lte=now)[:AT_ONCE])
        for one in old:
            end(one, Proposal.State.EXPIRED, "nobody decided in time", now=now)
    return len(done) + len(old)


def _record(proposal: Proposal, what: str, detail: Mapping[str, Any], author: Author) -> None:
    told = {"subject": proposal.subject, "from": proposal.current, "to": proposal.proposed, **detail}
    deed = Deed(author.name, f"proposal.{what}", f"proposal:{proposal.pk}", told)
    record(proposal.tenant_id, deed, at=author.now)
