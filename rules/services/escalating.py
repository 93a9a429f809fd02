"""Escalations begin when a group tells of alerts that fire, and end when somebody answers or all is over.

Steps are taken when they are due by `rules.services.escalation_steps`.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import connection
from django.db.models import F

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.bulk import insert_rows
from rules.alerts import escalation as stage
from rules.models import (
    AggregationGroup,
    Escalation,
    EscalationPolicy,
    GroupedAlert,
    OutboxMessage,
    ToldAlert,
)
from rules.services.people import policy_of
from rules.services.routing import routing_of

log = structlog.get_logger(__name__)

REASON: Final = "escalation"
"""Of the messages that steps send."""
_END_SPACE: Final = uuid.UUID("0f5d0a3e-6f0b-4d11-8e0e-4b9f1f6b2c58")

# Over for people: nothing of the group fires, or somebody answers for all of it that does.
_SETTLE: Final = """
UPDATE rules_escalation held
SET status = CASE WHEN left_over.firing THEN 'acknowledged' ELSE 'resolved' END, ended_at = %(now)s,
    next_at = NULL
FROM (
    SELECT running.id, bool_or(alert.id IS NOT NULL) AS firing,
        bool_or(alert.acknowledged_at IS NULL AND alert.id IS NOT NULL
            AND (alert.snoozed_until IS NULL OR alert.snoozed_until <= %(now)s)) AS unanswered
    FROM rules_escalation running
    LEFT JOIN rules_groupedalert member ON member.group_id = running.group_id AND member.firing
    LEFT JOIN rules_alertinstance alert ON alert.id = member.alert_id AND alert.closed_at IS NULL
    WHERE running.tenant_id = %(tenant)s AND running.status = 'running' AND running.group_id = ANY(%(groups)s)
    GROUP BY running.id
) left_over
WHERE held.id = left_over.id AND held.status = 'running' AND NOT left_over.unanswered
"""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A group that told of alerts that fire, on a route with a policy."""

    group_id: UUID
    policy_id: UUID
    anew: bool
    """Whether a policy that came to its end without an answer begins again: for new alerts, not repeats."""


def begin(tenant_id: UUID, beginnings: Sequence[Beginning], *, now: datetime) -> None:
    """Begin where no escalation runs yet. Called inside the transaction that stores the message."""
    if not beginnings:
        return
    wanted = {one.policy_id for one in beginnings}
    rows = EscalationPolicy.objects.for_tenant(tenant_id).filter(pk__in=wanted)
    due = {row.pk: moment for row in rows if (moment := _first_step(row, now)) is not None}
    worn_out = _worn_out(tenant_id, [one.group_id for one in beginnings if not one.anew])
    Escalation.objects.for_tenant(tenant_id).bulk_create(
        [
            Escalation(
                tenant_id=tenant_id,
                group_id=one.group_id,
                policy_id=one.policy_id,
                started_at=now,
                next_at=due[one.policy_id],
                leased_until=now,
            )
            for one in beginnings
            if one.policy_id in due and one.group_id not in worn_out
        ],
        ignore_conflicts=True,
    )


def resume(tenant_id: UUID, alerts: Iterable[UUID], *, now: datetime) -> None:
    """Escalate again what nobody answers for any more. Called inside a transaction."""
    members = GroupedAlert.objects.for_tenant(tenant_id).filter(
        alert_id__in=list(alerts), firing=True, sent="firing", group__orphaned=False
    )
    nodes = routing_of(tenant_id).nodes
    found = {
        group_id: nodes[str(route_id)].escalation
        for group_id, route_id in members.values_list("group_id", "group__route_id")
        if str(route_id) in nodes
    }
    begin(
        tenant_id,
        [Beginning(group, UUID(policy), anew=False) for group, policy in found.items() if policy],
        now=now,
    )


def settle(tenant_id: UUID, groups: Iterable[UUID], *, now: datetime) -> int:
    """End the escalations of groups that nobody needs to answer for any more. How many."""
    parameters: dict[str, Any] = {"tenant": tenant_id, "groups": list(groups), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, parameters)
        return int(cursor.rowcount)


def settle_alerts(tenant_id: UUID, alerts: Iterable[UUID], *, now: datetime) -> int:
    """End the escalations that wait for an answer to these alerts and have one for all now. How many."""
    running = Escalation.objects.for_tenant(tenant_id).filter(status=Escalation.Status.RUNNING)
    if not running.exists():
        return 0
    members = GroupedAlert.objects.for_tenant(tenant_id).filter(alert_id__in=list(alerts))
    groups = list(running.filter(group__in=members.values("group_id")).values_list("group_id", flat=True))
    return settle(tenant_id, groups, now=now) if groups else 0


def tell_ends(tenant_id: UUID, ended: Sequence[GroupedAlert], *, now: datetime) -> None:
    """Tell whomever an escalation told of alerts that they are over. Called when their group forgets them.

    The group's own receiver hears it from the group.
    """
    by_alert = {member.alert_id: member for member in ended}
    if not by_alert or not _escalated(tenant_id, ended):
        return
    told = ToldAlert.objects.for_tenant(tenant_id).filter(
        alert_id__in=list(by_alert),
        message__reason=REASON,
        message__receiver__enabled=True,
        message__receiver__send_resolved=True,
    )
    heard = told.exclude(message__receiver=F("message__group__receiver"))
    owed: defaultdict[tuple[UUID, UUID], list[GroupedAlert]] = defaultdict(list)
    for alert_id, receiver_id in heard.values_list("alert_id", "message__receiver_id").distinct():
        member = by_alert[alert_id]
        owed[member.group_id, receiver_id].append(member)
    groups = AggregationGroup.objects.for_tenant(tenant_id).in_bulk({group for group, _ in owed})
    for (group_id, receiver_id), members in owed.items():
        _tell_end(groups[group_id], receiver_id, members, now)


def _escalated(tenant_id: UUID, members: Sequence[GroupedAlert]) -> bool:
    groups = {member.group_id for member in members}
    return Escalation.objects.for_tenant(tenant_id).filter(group__in=groups).exists()


def _tell_end(
    group: AggregationGroup, receiver_id: UUID, members: Sequence[GroupedAlert], now: datetime
) -> None:
    """One message to one receiver. Its key is of the changes it tells, so that it is owed once."""
    changes = ",".join(sorted(member.transition_id.hex for member in members))
    message_id = uuid.uuid5(_END_SPACE, f"{receiver_id}/{changes}")
    message = OutboxMessage(
        id=message_id,
        tenant_id=group.tenant_id,
        receiver_id=receiver_id,
        group=group,
        group_key=group.group_key,
        group_labels=group.labels,
        generation=group.generation,
        reason="resolved",
        idempotency_key=f"end:{message_id.hex}",
        created_at=now,
        next_attempt_at=now,
        leased_until=now,
    )
    insert_rows([message])
    insert_rows(
        [
            ToldAlert(
                tenant_id=group.tenant_id,
                message=message,
                transition_id=member.transition_id,
                alert_id=member.alert_id,
            )
            for member in members
        ]
    )


def _first_step(row: EscalationPolicy, now: datetime) -> datetime | None:
    """When its first step is due. A policy that does not read any more keeps no flush from telling."""
    try:
        state = stage.begin(policy_of(row), from_datetime(now))
    except PlatformError as error:
        log.warning("escalation.unreadable_policy", policy=str(row.pk), error=str(error))
        return None
    return None if state.due_ms is None else to_datetime(state.due_ms)


def _worn_out(tenant_id: UUID, groups: Sequence[UUID]) -> set[UUID]:
    """Groups whose last escalation came to its end without an answer."""
    if not groups:
        return set()
    rows = Escalation.objects.for_tenant(tenant_id).filter(group__in=groups)
    newest = rows.order_by("group_id", "-started_at").distinct("group_id").values_list("group_id", "status")
    return {group for group, status in newest if status == Escalation.Status.EXHAUSTED}
