"""Recording and verifying the audit chain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from alertsite.audit.models import AuditEvent

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Author:
    """Who saves, and when."""

    name: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did. `detail` holds JSON values, never a secret."""

    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def record(tenant_id: UUID, deed: Deed, *, at: datetime) -> AuditEvent:
    """Append an event to the tenant's chain, inside the transaction of the deed itself."""
    with transaction.atomic(savepoint=False):
        with connection.cursor() as cursor:
            # One writer a tenant at a time: two events must not follow the same predecessor.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"audit:{tenant_id}"])
        last = AuditEvent.objects.for_tenant(tenant_id).order_by("-sequence").first()
        event = AuditEvent(
            tenant_id=tenant_id,
            sequence=last.sequence + 1 if last else 1,
            at=at,
            actor=deed.actor,
            action=deed.action,
            subject=deed.subject,
            detail=dict(deed.detail),
            previous_digest=last.digest if last else GENESIS,
        )
        event.digest = digest_of(event)
        event.save(force_insert=True)
        return event


def digest_of(event: AuditEvent) -> str:
    """SHA-256 over the event's fields and its predecessor's digest."""
    fields = [
        str(event.tenant_id),
        event.sequence,
        event.at.isoformat(),
        event.actor,
        event.action,
        event.subject,
        event.detail,
        event.previous_digest,
    ]
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def first_break(tenant_id: UUID) -> int | None:
    """The sequence of the first event that was changed, or whose predecessor is missing; None when whole."""
    previous, expected = GENESIS, 1
    for event in AuditEvent.objects.for_tenant(tenant_id).order_by("sequence").iterator():
        if (
            event.sequence != expected
            or event.previous_digest != previous
            or event.digest != digest_of(event)
        ):
            return expected
        previous, expected = event.digest, expected + 1
    return None
