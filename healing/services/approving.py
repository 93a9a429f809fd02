"""Asking people, hearing them, and spending what they said: once, for the plan that they saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from cloud.adapters.vocabulary import VOCABULARY
from healing.approvals.policy import people_needed, people_needed_for
from healing.approvals.quorum import QuorumReason, Request, Vote, VoteReason, judge, quorum
from healing.execution.states import RunState
from healing.models import Approval, HealingRun, PlaybookVersion
from healing.playbooks.planner import Plan
from healing.services.policies import needs_of, policy_of
from healing.services.scenes import hash_of, plan_of

MACHINE: Final = "key:"
"""Begins the names of machines."""


class VoteRefused(PlatformError):
    """A yes or no does not count."""

    code = "healing.vote_refused"

    def __init__(self, reason: VoteReason) -> None:
        super().__init__(f"the vote does not count: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody says, and to what: the subject and plan as they saw them; empty for what is asked now."""

    approves: bool
    comment: str = ""
    subject: str | None = None
    plan_hash: str | None = None


def needed_for(run: HealingRun, plan: Plan) -> int:
    """How many people must say yes to the plan."""
    own = plan.playbook.approval.model_dump()
    return people_needed_for((step.word for step in plan.actions), own, needs_of(policy_of(run.tenant_id)))


def needed_for_word(run: HealingRun, plan: Plan, word: str) -> int:
    """How many people must say yes to one word."""
    own = plan.playbook.approval.model_dump()
    return people_needed(VOCABULARY[word].risk, own, needs_of(policy_of(run.tenant_id)))


def request_of(run: HealingRun) -> Request | None:
    """What the run asks people now; None if it asks nothing."""
    if run.state != RunState.AWAITING or run.expires_at is None:
        return None
    plan = plan_of(run)
    author = run.version.author if run.version is not None else ""
    return Request(
        run=str(run.pk),
        subject=run.subject,
        plan_hash=hash_of(run, plan),
        needed=run.needed,
        expires_ms=from_datetime(run.expires_at),
        authors=frozenset({author} | _authors_of(run)),
        starter=run.started_by,
    )


def _authors_of(run: HealingRun) -> set[str]:
    """Whoever wrote this content first, too: saving it again under another name changes no author."""
    if run.version is None:
        return set()
    same = PlaybookVersion.objects.for_tenant(run.tenant_id).filter(
        playbook_id=run.playbook_id, digest=run.version.digest
    )
    authors = set(same.values_list("author", flat=True))
    if run.playbook is not None and any(name.startswith(MACHINE) for name in authors):
        authors.add(run.playbook.armed_by)  # what a machine wrote is vouched for by whoever armed it
    return authors


def vote(tenant_id: UUID, run_id: UUID, said: Said, author: Author, *, is_person: bool) -> HealingRun:
    """Hear a person. The run is looked at again at once.

    Raises
    ------
    VoteRefused, HealingRun.DoesNotExist
    """
    with transaction.atomic():
        rows = HealingRun.objects.for_tenant(tenant_id).select_for_update(of=("self",))
        run: HealingRun = rows.select_related("version").get(pk=run_id)
        request = request_of(run)
        earlier = votes_of(run)
        cast = Vote(
            run=str(run.pk),
            subject=run.subject if said.subject is None else said.subject,
            plan_hash=run.plan_hash if said.plan_hash is None else said.plan_hash,
            person=author.name,
            approves=said.approves,
            at_ms=from_datetime(author.now),
            is_person=is_person,
        )
        reason = judge(cast, request, earlier)
        detail = {
            "subject": cast.subject,
            "approves": said.approves,
            "verdict": str(reason),
            "comment": said.comment,
        }
        deed = Deed(author.name, "healing_run.vote", f"healing_run:{run.pk}", detail)
        record(tenant_id, deed, at=author.now)
        if reason is VoteReason.COUNTED:
            _store(run, cast, said, author.now)
    if reason is not VoteReason.COUNTED:
        raise VoteRefused(reason)
    return run


def _store(run: HealingRun, cast: Vote, said: Said, now: datetime) -> None:
    Approval.objects.for_tenant(run.tenant_id).create(
        tenant_id=run.tenant_id,
        run=run,
        subject=cast.subject,
        plan_hash=cast.plan_hash,
        person=cast.person,
        approves=cast.approves,
        comment=said.comment[:1000],
        at=now,
    )
    run.next_at = now
    run.save(update_fields=["next_at"])


def votes_of(run: HealingRun) -> list[Vote]:
    """Every vote of a run, oldest first."""
    rows = Approval.objects.for_tenant(run.tenant_id).filter(run=run).order_by("at", "id")
    return [
        Vote(
            run=str(run.pk),
            subject=row.subject,
            plan_hash=row.plan_hash,
            person=row.person,
            approves=row.approves,
            at_ms=from_datetime(row.at),
            spent=row.spent_at is not None,
        )
        for row in rows
    ]


def standing(run: HealingRun, *, now: datetime) -> QuorumReason:
    """Where the approval that a run awaits stands. Called with the run held."""
    request = request_of(run)
    if request is None or request.plan_hash != run.plan_hash:
        return QuorumReason.REJECTED  # what was asked is not what would be done
    return quorum(request, votes_of(run), now_ms=from_datetime(now))


def spend(run: HealingRun, *, now: datetime) -> int:
    """Use up the votes that let the run go on. How many people said yes. Called with the run held."""
    rows = Approval.objects.for_tenant(run.tenant_id).filter(
        run=run, subject=run.subject, plan_hash=run.plan_hash, approves=True, spent_at=None
    )
    return int(rows.update(spent_at=now))


def is_granted(run: HealingRun, plan: Plan, needed: int) -> bool:
    """Whether as many people as are needed said yes to the plan as it is now."""
    return needed == 0 or (run.granted >= needed and run.granted_hash == hash_of(run, plan))
