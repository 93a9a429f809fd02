"""Trying a receiver: what it would say of a real alert, and a message that is really sent.

A receiver goes in, saved or a draft; a preview, or the outbox row of a test, comes out. Refuses a
configuration that does not fit its kind, and a preview where the tenant has had no alert yet.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from rules.models import AlertTransition, DeliveryAttempt, OutboxMessage, Receiver
from rules.notify.notification import FIRING, TEST, Notification, Preview
from rules.services.authoring import Author
from rules.services.composing import last_change, notice_of
from rules.services.links import ACTIONS
from rules.services.nudging import nudge_deliveries_after_commit
from rules.services.receivers import receiver_registry

PATIENCE_S: Final = 3.0
"""How long a test is waited for."""
_PAUSE_S: Final = 0.1


class NoPastAlert(PlatformError):
    """There is no alert that a preview could be made from."""

    code = "receiver.no_past_alert"


def preview(receiver: Receiver, *, now: datetime, alert_id: UUID | None = None) -> Preview:
    """What the receiver would be sent of an alert's last change, or of the tenant's. Nothing is sent.

    Raises
    ------
    UnknownReceiverKind, InvalidReceiver
        If the configuration does not fit the kind.
    NoPastAlert
        If there is none to tell of.
    """
    channel = receiver_registry().open(receiver.kind, receiver.config, receiver.secrets)
    change = last_change(receiver.tenant_id, before=now, alert_id=alert_id)
    if change is None and alert_id is not None:
        raise NoPastAlert(f"alert {alert_id} has never fired in this tenant")
    if change is None:
        raise NoPastAlert("no alert of this tenant has fired yet, so there is none to show")
    return channel.preview(_notification(receiver, change))


def _notification(receiver: Receiver, change: AlertTransition) -> Notification:
    """As a message about this change alone would be. Its links lead nowhere."""
    name = str(change.labels.get("alertname", ""))
    actions = {action: f"{settings.PUBLIC_URL}/act/preview/{action}/" for action in ACTIONS}
    return Notification(
        idempotency_key="preview",
        trace_id=uuid.UUID(int=0).hex,
        tenant=receiver.tenant.slug,
        receiver=receiver.name,
        group_key=f'{{}}:{{alertname="{name}"}}',
        generation=1,
        reason="new_alerts" if change.state == FIRING else "resolved",
        group_labels={"alertname": name},
        alerts=(notice_of(change),),
        url=f"{settings.PUBLIC_URL}/admin/rules/outboxmessage/",
        actions=actions if change.state == FIRING else {},
    )


@transaction.atomic
def send_test(receiver: Receiver, author: Author) -> OutboxMessage:
    """Owe the receiver a test message. It goes out like any other, and tells of the tenant's last alert."""
    message_id = uuid.uuid4()
    message: OutboxMessage = OutboxMessage.objects.for_tenant(receiver.tenant_id).create(
        id=message_id,
        tenant_id=receiver.tenant_id,
        receiver=receiver,
        group_key=f"{TEST}:{receiver.pk}",
        reason=TEST,
        idempotency_key=f"{TEST}:{message_id.hex}",
        created_at=author.now,
        next_attempt_at=author.now,
        leased_until=author.now,
    )
    deed = Deed(author.name, "receiver.tested", f"receiver:{receiver.pk}", {"message": str(message_id)})
    record(receiver.tenant_id, deed, at=author.now)
    nudge_deliveries_after_commit()
    return message


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """What is known of a test message."""

    __test__ = False  # a class of the product, whatever its name tells pytest

    message: UUID
    status: str
    """As of the outbox; `due` while it is under way."""
    receipt: str
    reason: str
    """Why the last attempt failed; empty if none did."""

    @property
    def in_words(self) -> str:
        """One sentence for a person."""
        if self.status == OutboxMessage.Status.DELIVERED:
            return f"The test arrived: {self.receipt}."
        if self.status != OutboxMessage.Status.DUE:
            return f"The test did not arrive: {self.reason}."
        if self.reason:
            return f"The test has not arrived yet and is tried again: {self.reason}."
        return "The test is under way; the page of the message shows what becomes of it."


def await_outcome(message: OutboxMessage, pause: Callable[[float], None]) -> TestOutcome:
    """What became of a test after its first attempt, or that it is under way after `PATIENCE_S`.

    Parameters
    ----------
    pause
        Waits for so many seconds.
    """
    outcome = outcome_of(message)
    for _ in range(round(PATIENCE_S / _PAUSE_S)):
        if outcome.status != OutboxMessage.Status.DUE or outcome.reason:
            break
        pause(_PAUSE_S)
        outcome = outcome_of(message)
    return outcome


def outcome_of(message: OutboxMessage) -> TestOutcome:
    """What the outbox knows now."""
    message.refresh_from_db(fields=["status", "receipt", "cause"])
    attempts = DeliveryAttempt.objects.for_tenant(message.tenant_id).filter(
        message=message, finished_at__isnull=False, delivered=False
    )
    last = attempts.order_by("-number").first()
    reason = message.cause or (last.outcome if last is not None else "")
    return TestOutcome(message.pk, message.status, message.receipt, reason)
