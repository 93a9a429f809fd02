"""What the platform watches in its own work for tenants: rules that overflow, receivers that take nothing,
canaries that do not arrive. Each finding is an alert of the tenant's, which ends when it is over.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Max, Q

from alertsite.core.clock import from_datetime
from alertsite.core.labels import fingerprint, label_set
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.evaluation.states import State
from rules.models import AlertInstance, AlertTransition, Origin, OutboxMessage, Receiver, Rule, ToldAlert
from rules.series.protocols import SampleBatch
from rules.services import selfalerts
from rules.services.stores import hot_store

RECENT: Final = timedelta(days=1)
CANARY_WITHIN: Final = timedelta(minutes=5)
CANARY_REASON: Final = "canary"
LATENCY: Final = "alertsite_canary_latency_seconds"
_CANARY_SPACE: Final = uuid.UUID("0e5c1a86-8a53-4f5f-b0d1-2f1c6a4e9a77")


def watch_limits(*, now: datetime) -> int:
    """Page once when a rule has more alerts than its limit; end it when it has not. How many changed."""
    with platform_scope():
        over = Rule.across_tenants.filter(truncated=True, state=Rule.State.ACTIVE)
        wanted = {(tenant, str(pk)): name for tenant, pk, name in over.values_list("tenant_id", "pk", "name")}
        firing = _own_alerts(selfalerts.OVERFLOW, "rule_id")
    changed = 0
    for tenant_id, rule_id in wanted.keys() - firing:
        name = wanted[tenant_id, rule_id]
        summary = f"{name} holds for more alerts than its limit: the first are kept, the others are not told"
        with tenant_scope(tenant_id):
            labels = {"rule": name, "rule_id": rule_id}
            selfalerts.begin(tenant_id, selfalerts.OVERFLOW, labels, summary, now=now)
        changed += 1
    for tenant_id, rule_id in firing - wanted.keys():
        with tenant_scope(tenant_id):
            selfalerts.end(tenant_id, selfalerts.OVERFLOW, {"rule_id": rule_id}, now=now)
        changed += 1
    return changed


def watch_receivers(*, now: datetime) -> int:
    """Raise an alert for a receiver whose last message died; end it with its next delivery. How many changed.

    Messages that tell of such an alert do not count: a dead receiver does not report itself again and again.
    """
    with platform_scope():
        own = ToldAlert.across_tenants.filter(transition__labels__alertname=selfalerts.DEAD_LETTER)
        recent = OutboxMessage.across_tenants.filter(status="dead", created_at__gt=now - RECENT)
        dead = recent.exclude(pk__in=own.values("message_id")).order_by()
        latest = dead.values("tenant_id", "receiver_id", "receiver__name").annotate(died=Max("created_at"))
        wanted = {
            (row["tenant_id"], str(row["receiver_id"])): row["receiver__name"]
            for row in latest
            if not OutboxMessage.across_tenants.filter(
                receiver_id=row["receiver_id"], status="delivered", delivered_at__gt=row["died"]
            ).exists()
        }
        firing = _own_alerts(selfalerts.DEAD_LETTER, "receiver_id")
    for tenant_id, receiver_id in wanted.keys() - firing:
        name = wanted[tenant_id, receiver_id]
        labels = {"receiver": name, "receiver_id": receiver_id}
        with tenant_scope(tenant_id):
            summary = f"a message to {name} was given up: see its dead letters"
            selfalerts.begin(tenant_id, selfalerts.DEAD_LETTER, labels, summary, now=now)
    for tenant_id, receiver_id in firing - wanted.keys():
        with tenant_scope(tenant_id):
            selfalerts.end(tenant_id, selfalerts.DEAD_LETTER, {"receiver_id": receiver_id}, now=now)
    return len(wanted.keys() ^ firing)


def _own_alerts(name: str, label: str) -> set[tuple[UUID, str]]:
    """Tenant and a label of the platform's alerts of a name that fire."""
    rows = AlertInstance.across_tenants.filter(origin=Origin.PLATFORM, labels__contains={"alertname": name})
    return {
        (tenant, str(labels.get(label, "")))
        for tenant, labels in rows.order_by().values_list("tenant_id", "labels")
    }


def send_canaries(*, now: datetime) -> int:
    """Owe a test message to each receiver whose canary is due. How many."""
    with platform_scope(), transaction.atomic():
        on = Receiver.across_tenants.filter(enabled=True, canary_every_s__isnull=False)
        due = on.filter(Q(next_canary_at=None) | Q(next_canary_at__lte=now))
        receivers = list(due.select_for_update(skip_locked=True)[:500])
        for receiver in receivers:
            _owe_canary(receiver, now)
            receiver.next_canary_at = now + timedelta(seconds=receiver.canary_every_s or 0)
            receiver.save(update_fields=["next_canary_at"])
        return len(receivers)


def _owe_canary(receiver: Receiver, now: datetime) -> None:
    labels = {"alertname": "Canary", "receiver": receiver.name}
    identity = uuid.uuid5(_CANARY_SPACE, f"{receiver.pk}/{from_datetime(now)}")
    transition = AlertTransition.objects.create(
        tenant_id=receiver.tenant_id,
        alert_id=identity,
        origin=Origin.PLATFORM,
        rule_version=0,
        previous=State.FIRING,
        state=State.RESOLVED,
        at=now,
        fired_at=now,
        fingerprint=fingerprint(label_set(labels)),
        labels=labels,
        annotations={"summary": "This message proves that messages arrive. Nothing is wrong."},
        trace={"reason": CANARY_REASON},
    )
    message = OutboxMessage.objects.create(
        tenant_id=receiver.tenant_id,
        receiver=receiver,
        group_key="canary",
        group_labels=labels,
        reason=CANARY_REASON,
        idempotency_key=f"canary:{identity.hex}",
        created_at=now,
        next_attempt_at=now,
        leased_until=now,
    )
    ToldAlert.objects.create(
        tenant_id=receiver.tenant_id, message=message, transition=transition, alert_id=identity
    )


def watch_canaries(*, now: datetime) -> int:
    """Write how long the last canary of each receiver took, and raise an alert where it did not arrive in
    time. How many are missing.
    """
    with platform_scope():
        on = Receiver.across_tenants.filter(canary_every_s__isnull=False, enabled=True)
        last = OutboxMessage.across_tenants.filter(reason=CANARY_REASON, receiver__in=on)
        rows = list(
            last.order_by("receiver_id", "-created_at").distinct("receiver_id").select_related("receiver")
        )
        firing = _own_alerts(selfalerts.CANARY, "receiver_id")
    missing = 0
    for row in rows:
        labels = {"receiver": row.receiver.name, "receiver_id": str(row.receiver_id)}
        with tenant_scope(row.tenant_id):
            fires = (row.tenant_id, str(row.receiver_id)) in firing
            if row.delivered_at is not None:
                _write_latency(row)
                if fires:
                    selfalerts.end(row.tenant_id, selfalerts.CANARY, labels, now=now)
            elif row.status != "due" or now - row.created_at > CANARY_WITHIN:
                missing += 1
                summary = (
                    f"the last canary to {row.receiver.name} has not arrived: {row.cause or 'still due'}"
                )
                if not fires:
                    selfalerts.begin(row.tenant_id, selfalerts.CANARY, labels, summary, now=now)
    return missing


def _write_latency(row: OutboxMessage) -> None:
    """The latency as a sample at the delivery's time: written again, it is the same sample."""
    assert row.delivered_at is not None
    seconds = (row.delivered_at - row.created_at).total_seconds()
    at_ms = from_datetime(row.delivered_at)
    labels = label_set({"__name__": LATENCY, "receiver": row.receiver.name})
    batch = SampleBatch([labels], np.zeros(1, np.int64), np.array([at_ms]), np.array([seconds]))
    hot_store(row.tenant_id).append(batch, now_ms=at_ms)


def forget_canaries(*, now: datetime) -> int:
    """Delete canaries that were delivered a day ago, with their transitions. How many rows."""
    with platform_scope():
        old = OutboxMessage.across_tenants.filter(
            reason=CANARY_REASON, status="delivered", created_at__lt=now - RECENT
        )
        transitions = AlertTransition.across_tenants.filter(told__message__in=old)
        return transitions.delete()[0] + old.delete()[0]
