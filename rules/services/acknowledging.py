"""Pagers hear that somebody is on it: a message to each receiver that has an incident of the alerts."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef

from alertsite.core.clock import from_datetime
from alertsite.tenancy.bulk import insert_rows
from rules.models import AggregationGroup, AlertInstance, GroupedAlert, OutboxMessage, Receiver, ToldAlert
from rules.notify.notification import ACKNOWLEDGED
from rules.services.receivers import receiver_registry

_SPACE: Final = uuid.UUID("5b0cf6c1-3c35-4f4e-8f6e-0a1c6a6f2d97")


def owe_acknowledgements(tenant_id: UUID, alerts: Collection[UUID], *, now: datetime) -> int:
    """Owe a message to whoever keeps an incident of these alerts, which were just acknowledged. How many.

    A group is one incident there: it is acknowledged once nothing that was told of it and fires waits for
    an answer. Called inside the transaction that stores the acknowledgement.
    """
    ways = _told(tenant_id, alerts)
    if not ways:
        return 0
    groups = AggregationGroup.objects.for_tenant(tenant_id).in_bulk({group_id for group_id, _ in ways})
    members = GroupedAlert.objects.for_tenant(tenant_id).filter(group__in=groups, firing=True, sent="firing")
    waits = AlertInstance.objects.for_tenant(tenant_id).filter(
        pk=OuterRef("alert_id"), acknowledged_at=None, closed_at=None
    )
    unanswered = set(members.filter(Exists(waits)).values_list("group_id", flat=True).distinct())
    by_group: dict[UUID, list[GroupedAlert]] = {}
    for member in members.filter(alert_id__in=alerts).exclude(group__in=unanswered):
        by_group.setdefault(member.group_id, []).append(member)
    owed = [(group_id, receiver_id) for group_id, receiver_id in sorted(ways) if group_id in by_group]
    for group_id, receiver_id in owed:
        _owe(groups[group_id], receiver_id, by_group[group_id], now)
    return len(owed)


def _told(tenant_id: UUID, alerts: Collection[UUID]) -> set[tuple[UUID, UUID]]:
    """Groups of the alerts with each receiver that was told of them, by a step of an escalation too, and
    takes acknowledgements.
    """
    kinds = receiver_registry().acknowledging()
    able = Receiver.objects.for_tenant(tenant_id).filter(enabled=True, kind__in=kinds)
    receivers = list(able.values_list("pk", flat=True))
    if not alerts or not receivers:
        return set()
    told = ToldAlert.objects.for_tenant(tenant_id).filter(
        alert_id__in=alerts, message__receiver__in=receivers, message__group__isnull=False
    )
    return set(told.values_list("message__group_id", "message__receiver_id").distinct())


def _owe(group: AggregationGroup, receiver_id: UUID, members: Sequence[GroupedAlert], now: datetime) -> None:
    message_id = uuid.uuid5(_SPACE, f"{receiver_id}/{group.pk}/{from_datetime(now)}")
    message = OutboxMessage(
        id=message_id,
        tenant_id=group.tenant_id,
        receiver_id=receiver_id,
        group=group,
        group_key=group.group_key,
        group_labels=group.labels,
        generation=group.generation,
        reason=ACKNOWLEDGED,
        idempotency_key=f"acknowledged:{message_id.hex}",
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
