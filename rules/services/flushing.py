"""Flushing groups: claim what is due, decide, and commit messages with the reasons for what is not told.

A flush decides from rows alone and writes messages, members and the group in one transaction that checks the
claim: a worker lost before it leaves the group due, one lost after it leaves messages that are due.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from alertsite.core.clock import Clock, from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.bulk import Writes
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.selecting import Selection, rows_of
from rules.alerts.flushing import (
    FlushDecision,
    FlushReason,
    GroupState,
    Member,
    MemberReason,
    Verdict,
    decide,
)
from rules.models import (
    AggregationGroup,
    GroupedAlert,
    OutboxMessage,
    Receiver,
    Suppression,
    ToldAlert,
)
from rules.services import escalating
from rules.services.delivery import QUEUE_LEASE, MessageClaim
from rules.services.routing import FlushTerms, flush_terms

log = structlog.get_logger(__name__)

LEASE: Final = timedelta(seconds=60)
GROUPS_PER_TRANSACTION: Final = 100
_MESSAGE_SPACE: Final = uuid.UUID("5a0b8a52-6bb9-4d0c-8f5c-0c8a8a1e7f10")

# Every tenant's most overdue group goes before anyone's second. Of many that are due each tenant is asked for
# its own: to order them all would take longer than to flush what is claimed. In a storm statistics are old:
# the comparison of rows and the array leave the planner one index each.
_CLAIM: Final = """
WITH early AS MATERIALIZED (
    SELECT id, tenant_id, next_flush_at FROM rules_aggregationgroup
    WHERE next_flush_at <= %(now)s AND leased_until <= %(now)s
        AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
    ORDER BY next_flush_at
    LIMIT %(many)s
), candidates AS (
    SELECT id, tenant_id, next_flush_at FROM early WHERE (SELECT count(*) FROM early) < %(many)s
    UNION ALL
    SELECT own.id, own.tenant_id, own.next_flush_at
    FROM tenancy_tenant tenant CROSS JOIN LATERAL (
        SELECT id, tenant_id, next_flush_at FROM rules_aggregationgroup
        WHERE (tenant_id, next_flush_at) >= (tenant.id, '-infinity'::timestamptz)
            AND (tenant_id, next_flush_at) <= (tenant.id, %(now)s)
            AND next_flush_at IS NOT NULL AND leased_until <= %(now)s
        ORDER BY tenant_id, next_flush_at
        LIMIT %(each)s
    ) own
    WHERE (SELECT count(*) FROM early) = %(many)s AND (%(tenant)s::uuid IS NULL OR tenant.id = %(tenant)s)
), ranked AS (
    SELECT id, next_flush_at, row_number() OVER (PARTITION BY tenant_id ORDER BY next_flush_at) AS turn,
        count(*) OVER (PARTITION BY tenant_id) AS due, count(*) OVER () AS total
    FROM candidates
), free AS MATERIALIZED (
    SELECT id, next_flush_at, leased_until FROM rules_aggregationgroup
    WHERE id = ANY(ARRAY(
        SELECT id FROM ranked
        WHERE due < %(each)s OR turn <= CASE WHEN due = total THEN %(alone)s ELSE %(behind)s END
        ORDER BY turn, next_flush_at LIMIT %(limit)s
    ))
    FOR UPDATE SKIP LOCKED
)
UPDATE rules_aggregationgroup held
SET leased_until = %(until)s, fencing_token = held.fencing_token + 1
FROM free WHERE held.id = free.id AND free.next_flush_at <= %(now)s AND free.leased_until <= %(now)s
RETURNING held.id, held.tenant_id, held.fencing_token
"""
MANY: Final = 256  # so many due groups are ordered as they are

_GROUP: Final = Selection(AggregationGroup)
_RECEIVER: Final = Selection(Receiver, "id", "name", "send_resolved")
_HELD: Final = f"""
SELECT {_GROUP.of("held")}, {_RECEIVER.of("receiver")}, EXISTS (
    SELECT FROM rules_escalation running WHERE running.group_id = held.id AND running.status = 'running'
)
FROM rules_aggregationgroup held JOIN rules_receiver receiver ON receiver.id = held.receiver_id
WHERE held.id = ANY(%s) AND held.tenant_id = %s
ORDER BY held.key FOR UPDATE OF held
"""  # noqa: S608 (names of our own columns)

_MEMBER: Final = Selection(GroupedAlert)
_MEMBERS: Final = f"""
SELECT {_MEMBER.of("member")}, change.labels, alert.id IS NULL OR alert.closed_at IS NOT NULL,
    alert.acknowledged_at, alert.snoozed_until, alert.damped
FROM rules_groupedalert member
JOIN rules_alerttransition change ON change.id = member.transition_id
LEFT JOIN rules_alertinstance alert ON alert.id = member.alert_id AND member.firing
WHERE member.group_id = ANY(%s)
ORDER BY member.starts_at, member.id
"""  # noqa: S608 (names of our own columns)


@dataclass(frozen=True, slots=True)
class Bites:
    """How much one claim takes of a tenant: all, of one with less than `each` due; of one with more `behind`,
    so that others do not wait long behind a storm, or `alone` while nobody else has any.
    """

    each: int
    behind: int
    alone: int


WHOLE: Final = Bites(2_000, 2_000, 2_000)


@dataclass(frozen=True, slots=True)
class GroupClaim:
    """A group that is ours to flush while nobody holds a newer token."""

    group_id: UUID
    tenant_id: UUID
    fencing_token: int


@dataclass(slots=True)
class FlushSummary:
    """What a flush of several groups came to."""

    groups: int = 0
    lost: int = 0
    """Claimed by somebody else meanwhile."""
    suppressed: int = 0
    failed: int = 0
    messages: list[MessageClaim] = field(default_factory=list)  # written and claimed: to be sent at once


def claim_due_groups(
    *, now: datetime, limit: int = 2_000, bites: Bites = WHOLE, tenant_id: UUID | None = None
) -> list[GroupClaim]:
    """Take groups whose flush is due and free, one of each tenant before anyone's second."""
    parameters: dict[str, Any] = {"now": now, "until": now + LEASE, "tenant": tenant_id, "limit": limit}
    parameters |= {"many": max(limit, MANY)} | asdict(bites)
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [GroupClaim(*row) for row in cursor.fetchall()]


def by_tenant(claims: Iterable[GroupClaim]) -> list[list[GroupClaim]]:
    """Claims by tenant, those of who has fewest first: they wait for nobody's storm."""
    found: defaultdict[UUID, list[GroupClaim]] = defaultdict(list)
    for claim in claims:
        found[claim.tenant_id].append(claim)
    return sorted(found.values(), key=len)


def flush(claims: Sequence[GroupClaim], clock: Clock) -> FlushSummary:
    """Flush claimed groups. A tenant that fails stays due and stops no other."""
    summary = FlushSummary()
    for own in by_tenant(claims):
        tenant_id = own[0].tenant_id
        with tenant_scope(tenant_id):
            for start in range(0, len(own), GROUPS_PER_TRANSACTION):
                part = own[start : start + GROUPS_PER_TRANSACTION]
                try:
                    _flush_part(tenant_id, part, to_datetime(clock.now_ms()), summary)
                except (PlatformError, DatabaseError) as error:
                    summary.failed += len(part)
                    log.warning("flush.failed", tenant=str(tenant_id), groups=len(part), error=str(error))
    return summary


def _flush_part(tenant_id: UUID, claims: Sequence[GroupClaim], now: datetime, summary: FlushSummary) -> None:
    with transaction.atomic():
        tokens = {claim.group_id: claim.fencing_token for claim in claims}
        held = _held(tenant_id, tokens)
        terms = flush_terms(tenant_id, now=now)
        work = _Flush(tenant_id, now, terms, {group.pk for group, escalated in held if escalated})
        for group, members in members_of([group for group, _ in held]):
            work.decide(group, members)
        work.store()
    summary.groups += len(held)
    summary.lost += len(claims) - len(held)
    summary.suppressed += len(work.suppressions)
    summary.messages += [MessageClaim(one.pk, one.receiver_id, one.fencing_token) for one in work.messages]


@dataclass(frozen=True, slots=True)
class Row:
    """A member of a group as it is stored, and as the stage sees it."""

    stored: GroupedAlert
    member: Member


def _held(tenant_id: UUID, tokens: Mapping[UUID, int]) -> list[tuple[AggregationGroup, bool]]:
    """The claimed groups that are still ours, held until the transaction ends; whether an escalation runs."""
    found = []
    for row in rows_of(_HELD, [list(tokens), tenant_id]):
        group = _GROUP.instance(row)
        group.receiver = _RECEIVER.instance(row, _GROUP.width)
        if group.fencing_token == tokens[group.pk]:
            found.append((group, bool(row[-1])))
    return found


def members_of(groups: Sequence[AggregationGroup]) -> list[tuple[AggregationGroup, list[Row]]]:
    """The members of each group, with what people did to their alerts. One statement."""
    by_group: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows_of(_MEMBERS, [[group.pk for group in groups]]):
        stored = _MEMBER.instance(row)
        by_group[stored.group_id].append(Row(stored, _member(stored, *row[_MEMBER.width :])))
    return [(group, by_group[group.pk]) for group in groups]


def _member(  # noqa: PLR0913 (the columns of a row)
    stored: GroupedAlert,
    labels: str,
    closed: bool,
    acknowledged_at: datetime | None,
    snoozed_until: datetime | None,
    damped: bool | None,
) -> Member:
    return Member(
        alert_id=str(stored.alert_id),
        fingerprint=stored.fingerprint,
        labels=json.loads(labels),
        state="resolved" if closed or not stored.firing else "firing",
        starts_ms=from_datetime(stored.starts_at),
        sent=stored.sent,  # type: ignore[arg-type] # the flush writes nothing else
        acknowledged=acknowledged_at is not None,
        snoozed_until_ms=_ms(snoozed_until),
        damped=bool(damped),
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else from_datetime(moment)


@dataclass(slots=True)
class _Flush:
    """One transaction's decisions, gathered so that each table is written once."""

    tenant_id: UUID
    now: datetime
    terms: FlushTerms
    escalated: Set[UUID]
    """Groups whose escalation runs."""
    messages: list[OutboxMessage] = field(default_factory=list)
    told: list[ToldAlert] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)
    changed: list[GroupedAlert] = field(default_factory=list)
    forgotten: list[GroupedAlert] = field(default_factory=list)
    groups: list[AggregationGroup] = field(default_factory=list)
    beginnings: list[escalating.Beginning] = field(default_factory=list)
    ended: list[GroupedAlert] = field(default_factory=list)
    """Members whose firing was told and that are over."""

    def decide(self, group: AggregationGroup, rows: Sequence[Row]) -> None:
        """Decide one group and note what is to be written."""
        state = GroupState(
            key=group.group_key,
            receiver=str(group.receiver_id),
            anchor_ms=None if group.anchor_at is None else from_datetime(group.anchor_at),
            last_notified_ms=None
            if group.last_notified_at is None
            else from_datetime(group.last_notified_at),
            generation=group.generation,
        )
        decision = decide(state, [row.member for row in rows], self.terms.context(group, self.now))
        by_alert = {row.member.alert_id: row for row in rows}
        if decision.told:
            self._tell(group, decision, by_alert)
            self._escalate(group, decision)
        self._note(group, decision, by_alert)
        self._advance(group, decision, empty=len(decision.forget) == len(rows))

    def _tell(self, group: AggregationGroup, decision: FlushDecision, rows: dict[str, Row]) -> None:
        group.generation = decision.generation
        group.last_notified_at = self.now
        message = OutboxMessage(
            id=uuid.uuid5(_MESSAGE_SPACE, f"{group.pk}/{group.generation}"),
            tenant_id=self.tenant_id,
            receiver_id=group.receiver_id,
            group=group,
            group_key=group.group_key,
            group_labels=group.labels,
            generation=group.generation,
            reason=decision.reason,
            idempotency_key=f"{group.pk.hex}:{group.generation}",
            created_at=self.now,
            next_attempt_at=self.now,
            leased_until=self.now + QUEUE_LEASE,
            fencing_token=1,
        )
        self.messages.append(message)
        for member in decision.told:
            row = rows[member.alert_id].stored
            self.told.append(
                ToldAlert(
                    tenant_id=self.tenant_id,
                    message=message,
                    transition_id=row.transition_id,
                    alert_id=row.alert_id,
                )
            )

    def _escalate(self, group: AggregationGroup, decision: FlushDecision) -> None:
        """Have the route's policy begin when alerts that fire were told."""
        node = self.terms.node(group)
        if node is None or not node.escalation or decision.reason is FlushReason.RESOLVED:
            return
        if any(member.state == "firing" for member in decision.told):
            anew = decision.reason is not FlushReason.REPEAT
            self.beginnings.append(escalating.Beginning(group.pk, UUID(node.escalation), anew))

    def _note(self, group: AggregationGroup, decision: FlushDecision, rows: dict[str, Row]) -> None:
        """What became of each member. A reason for silence is kept when it is another than before."""
        forgotten = set(decision.forget)
        for verdict in decision.verdicts:
            row = rows[verdict.alert_id]
            if self._moved(row, verdict) and verdict.reason is not MemberReason.SENT:
                self.suppressions.append(self._suppression(group, row, verdict))
            if verdict.alert_id in forgotten:
                self.forgotten.append(row.stored)
                if row.stored.sent == "firing":
                    self.ended.append(row.stored)
            elif self._apply(row, verdict):
                self.changed.append(row.stored)

    def _moved(self, row: Row, verdict: Verdict) -> bool:
        told_before = row.stored.verdict == MemberReason.SENT and verdict.reason is MemberReason.ALREADY_SENT
        same = (row.stored.verdict, row.stored.detail) == (verdict.reason, verdict.detail[:300])
        return not told_before and not same

    def _apply(self, row: Row, verdict: Verdict) -> bool:
        """Take the verdict over into the row. Whether that changes it."""
        stored = row.stored
        before = stored.verdict, stored.detail, stored.sent
        if verdict.reason is MemberReason.SENT:
            stored.sent = row.member.state
        if self._moved(row, verdict):
            stored.verdict, stored.detail = verdict.reason, verdict.detail[:300]
        return before != (stored.verdict, stored.detail, stored.sent)

    def _suppression(self, group: AggregationGroup, row: Row, verdict: Verdict) -> Suppression:
        return Suppression(
            tenant_id=self.tenant_id,
            alert_id=row.stored.alert_id,
            group=group,
            receiver_name=group.receiver.name,
            at=self.now,
            reason=verdict.reason,
            detail=verdict.detail[:300],
        )

    def _advance(self, group: AggregationGroup, decision: FlushDecision, *, empty: bool) -> None:
        """When the group is due next. An empty one begins anew with its next alert."""
        if empty:
            group.anchor_at, group.next_flush_at = None, None
        else:
            group.anchor_at = to_datetime(decision.anchor_ms)
            next_ms = decision.next_flush_ms
            group.next_flush_at = None if next_ms is None else to_datetime(next_ms)
        group.last_reason = decision.reason
        group.leased_until = self.now
        self.groups.append(group)

    def store(self) -> None:
        """Write everything: one statement for most flushes, more where escalations begin or end."""
        writes = Writes()
        writes.insert(self.messages)
        writes.insert(self.told)
        writes.insert(self.suppressions)
        writes.update(self.changed, ["sent", "verdict", "detail"])
        writes.delete(self.forgotten)
        timers = ["anchor_at", "next_flush_at", "last_notified_at", "leased_until"]
        writes.update(self.groups, [*timers, "generation", "last_reason"])
        writes.store()
        escalating.tell_ends(self.tenant_id, self.ended, now=self.now)
        if self.escalated:
            escalating.settle(self.tenant_id, self.escalated, now=self.now)
        escalating.begin(self.tenant_id, self.beginnings, now=self.now)
