"""Taking the steps of escalations when they are due: claim, decide, and commit messages with who was told.

A step's messages, its record and the time of the next step are one transaction that checks the claim: a
worker lost before it leaves the step due, one lost after it leaves messages that are due.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.bulk import insert_rows
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.alerts.escalation import EscalationAction, EscalationReason, EscalationState, Policy, next_action
from rules.alerts.flushing import heard
from rules.models import Escalation, EscalationPolicy, EscalationStep, OutboxMessage, ToldAlert
from rules.services.escalating import REASON
from rules.services.flushing import Row, members_of
from rules.services.people import policy_of
from rules.services.reaching import reach
from rules.services.routing import FlushTerms, flush_terms

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=60)
STEPS_AT_ONCE: Final = 200
"""A step takes up to 25 ms on a busy machine, a task 25 s; whoever wakes next claims the others."""
WAIT: Final = timedelta(seconds=60)
"""When to look again while every alert of the group is kept quiet, or has ended and is not flushed yet."""
_MESSAGE_SPACE: Final = uuid.UUID("b6a1b1a9-3f2b-4d6c-9a55-8f0d6a0c3a57")

# Every tenant's most overdue step goes before anyone's second: a storm in one delays no other.
_CLAIM: Final = """
WITH due AS (
    SELECT id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_at) AS turn
    FROM rules_escalation
    WHERE status = 'running' AND next_at <= %(now)s AND leased_until <= %(now)s
), taken AS (
    SELECT held.id FROM rules_escalation held JOIN due USING (id)
    WHERE held.status = 'running' AND held.next_at <= %(now)s AND held.leased_until <= %(now)s
    ORDER BY due.turn, held.next_at
    LIMIT %(limit)s
    FOR UPDATE OF held SKIP LOCKED
)
UPDATE rules_escalation held
SET leased_until = %(until)s, fencing_token = held.fencing_token + 1
FROM taken WHERE held.id = taken.id
RETURNING held.id, held.tenant_id, held.fencing_token
"""


@dataclass(frozen=True, slots=True)
class EscalationClaim:
    """An escalation that is ours to move on while nobody holds a newer token."""

    escalation_id: UUID
    tenant_id: UUID
    fencing_token: int


def run_due(*, now: datetime, limit: int = STEPS_AT_ONCE) -> int:
    """Take every step that is due. How many were taken."""
    return take(claim_due(now=now, limit=limit), now=now)


def claim_due(*, now: datetime, limit: int = STEPS_AT_ONCE) -> list[EscalationClaim]:
    """Take hold of escalations whose next step is due, one of each tenant before anyone's second."""
    parameters: dict[str, Any] = {"now": now, "until": now + LEASE, "limit": limit}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [EscalationClaim(*row) for row in cursor.fetchall()]


def take(claims: Sequence[EscalationClaim], *, now: datetime) -> int:
    """Take the steps of claimed escalations. One that fails stays due and stops no other."""
    by_tenant: defaultdict[UUID, list[EscalationClaim]] = defaultdict(list)
    for claim in claims:
        by_tenant[claim.tenant_id].append(claim)
    return sum(_take_of(tenant_id, own, now) for tenant_id, own in by_tenant.items())


def _take_of(tenant_id: UUID, claims: Sequence[EscalationClaim], now: datetime) -> int:
    taken = 0
    with tenant_scope(tenant_id):
        work = _Work(tenant_id, now, flush_terms(tenant_id, now=now), _policies(tenant_id))
        for claim in claims:
            try:
                with transaction.atomic():
                    taken += work.take(claim)
            except (PlatformError, DatabaseError) as error:
                log.warning("escalation.failed", escalation=str(claim.escalation_id), error=str(error))
    return taken


def _policies(tenant_id: UUID) -> dict[str, Policy]:
    """Every policy that reads."""
    found = {}
    for row in EscalationPolicy.objects.for_tenant(tenant_id):
        try:
            found[str(row.pk)] = policy_of(row)
        except PlatformError as error:
            log.warning("escalation.unreadable_policy", policy=str(row.pk), error=str(error))
    return found


@dataclass(frozen=True, slots=True)
class _Work:
    """What decides about the escalations of one tenant at one moment."""

    tenant_id: UUID
    now: datetime
    terms: FlushTerms
    policies: Mapping[str, Policy]

    def take(self, claim: EscalationClaim) -> bool:
        """Move one escalation on. Whether somebody was to be told."""
        held = Escalation.objects.for_tenant(self.tenant_id).filter(
            pk=claim.escalation_id, fencing_token=claim.fencing_token, status=Escalation.Status.RUNNING
        )
        row = held.select_for_update(of=("self",)).select_related("group__receiver").first()
        if row is None:
            return False
        ((_, rows),) = members_of([row.group])
        telling = self._audible(row, rows)
        over, unanswered = self._over(row, rows), self._unanswered(rows)
        if not over and not telling and (unanswered or not self._firing(rows)):
            held.update(next_at=self.now + WAIT, leased_until=self.now)
            return False
        action = self._act(row, acknowledged=not unanswered, resolved=over)
        if action.reason is EscalationReason.STEP_DUE:
            self._tell(row, action, telling)
        held.update(**self._after(action))
        return action.reason is EscalationReason.STEP_DUE

    def _audible(self, row: Escalation, rows: Sequence[Row]) -> list[Row]:
        """Members that were told of and that nothing keeps quiet now."""
        context = self.terms.context(row.group, self.now)
        loud = {member.alert_id for member in heard([one.member for one in rows], context)}
        return [one for one in rows if one.member.alert_id in loud and one.member.sent == "firing"]

    def _firing(self, rows: Sequence[Row]) -> list[Row]:
        return [one for one in rows if one.member.state == "firing"]

    def _unanswered(self, rows: Sequence[Row]) -> bool:
        """Whether something fires that nobody acknowledged or snoozed."""
        now_ms = from_datetime(self.now)
        return any(
            not one.member.acknowledged and not (one.member.snoozed_until_ms or 0) > now_ms
            for one in self._firing(rows)
        )

    def _over(self, row: Escalation, rows: Sequence[Row]) -> bool:
        """Whether the group is empty, or routing changed and other groups tell of its alerts. An alert that
        has ended is in the group until the next flush: it may begin again before that.
        """
        return not rows or self.terms.node(row.group) is None

    def _act(self, row: Escalation, *, acknowledged: bool, resolved: bool) -> EscalationAction:
        """The step that is due, after policies that hand over at once."""
        now_ms = from_datetime(self.now)
        due_ms = None if row.next_at is None else from_datetime(row.next_at)
        state = EscalationState(str(row.policy_id), due_ms, row.step, row.round, row.hand_overs)
        while True:
            action = next_action(self.policies, state, now_ms, acknowledged=acknowledged, resolved=resolved)
            if action.reason is not EscalationReason.HANDED_OVER or (action.next_ms or 0) > now_ms:
                return action
            state = action.state

    def _tell(self, row: Escalation, action: EscalationAction, telling: Sequence[Row]) -> None:
        """A message for each receiver of those whom the step reaches, and a record of each."""
        reached = reach(self.tenant_id, action.notify, now=self.now)
        receivers = {one.receiver.pk: one.receiver for one in reached if one.receiver is not None}
        messages = {pk: self._message(row, action, pk) for pk in receivers}
        insert_rows(list(messages.values()))
        insert_rows(
            [
                ToldAlert(
                    tenant_id=self.tenant_id,
                    message=message,
                    transition_id=one.stored.transition_id,
                    alert_id=one.stored.alert_id,
                )
                for message in messages.values()
                for one in telling
            ]
        )
        EscalationStep.objects.for_tenant(self.tenant_id).bulk_create(
            EscalationStep(
                tenant_id=self.tenant_id,
                escalation=row,
                at=self.now,
                round=row.round,
                step=row.step,
                told=one.words[:300],
                message=None if one.receiver is None else messages[one.receiver.pk],
            )
            for one in reached
        )

    def _message(self, row: Escalation, action: EscalationAction, receiver_id: UUID) -> OutboxMessage:
        key = f"{row.pk.hex}:{action.key}:{receiver_id.hex}"
        return OutboxMessage(
            id=uuid.uuid5(_MESSAGE_SPACE, key),
            tenant_id=self.tenant_id,
            receiver_id=receiver_id,
            group=row.group,
            group_key=row.group.group_key,
            group_labels=row.group.labels,
            generation=row.group.generation,
            reason=REASON,
            idempotency_key=key,
            created_at=self.now,
            next_attempt_at=self.now,
            leased_until=self.now,
        )

    def _after(self, action: EscalationAction) -> dict[str, Any]:
        """The columns that keep the state after the action."""
        state = action.state
        columns: dict[str, Any] = {
            "step": state.step,
            "round": state.round,
            "hand_overs": state.hand_overs,
            "leased_until": self.now,
            "next_at": None if action.next_ms is None else to_datetime(action.next_ms),
        }
        if state.policy_id in self.policies:
            columns["policy_id"] = state.policy_id
        if action.next_ms is None:
            columns |= {"status": _ENDS.get(action.reason, Escalation.Status.EXHAUSTED), "ended_at": self.now}
        return columns


_ENDS: Final[Mapping[EscalationReason, str]] = {
    EscalationReason.ACKNOWLEDGED: Escalation.Status.ACKNOWLEDGED,
    EscalationReason.RESOLVED: Escalation.Status.RESOLVED,
}
