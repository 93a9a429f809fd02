"""Heartbeats: jobs that must call home, and the alert that begins when one does not.

A ping is one UPDATE; only one that finds its job missing, or says that it failed, does more. Whether a job is
down is a column, changed in the transaction that begins or ends the alert.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import digest_of
from rules.models import Heartbeat, Origin
from rules.services.authoring import Author
from rules.services.intake import InvalidAlert, Posted, Sender, checked_labels, take
from rules.services.nudging import nudge_after_commit
from rules.services.tokens import new_token

ALERTNAME: Final = "HeartbeatMissing"
FOREVER: Final = timedelta(days=36_500)
"""An alert of a heartbeat ends by a ping, never by itself."""
DUE_AT_ONCE: Final = 2_000
BACK: Final = "heartbeat_back"

# `before` is read under the row's lock, so that of two pings at once one ends the alert. A job that started
# is missing when it has not ended within the grace; starting again puts that off no further.
_PING: Final = """
UPDATE rules_heartbeat held
SET last_ping_at = %(now)s, last_outcome = %(outcome)s::text,
    due_at = CASE
        WHEN NOT held.enabled OR %(outcome)s::text = 'fail' THEN NULL
        WHEN %(outcome)s::text = 'success' THEN %(now)s + make_interval(secs => held.period_s + held.grace_s)
        WHEN before.down_since IS NULL
            THEN LEAST(before.due_at, %(now)s + make_interval(secs => held.grace_s))
    END,
    down_since = CASE
        WHEN NOT held.enabled OR %(outcome)s::text = 'success' THEN NULL
        WHEN %(outcome)s::text = 'fail' THEN COALESCE(before.down_since, %(now)s)
        ELSE before.down_since
    END
FROM (SELECT id, due_at, down_since FROM rules_heartbeat WHERE token_digest = %(digest)s FOR UPDATE) before
WHERE held.id = before.id
RETURNING held.id, held.tenant_id, (held.down_since IS NULL) <> (before.down_since IS NULL)
"""


class Outcome(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"


class UnknownHeartbeat(PlatformError):
    """No heartbeat has this token."""

    code = "heartbeat.unknown"


class InvalidHeartbeat(PlatformError):
    """A heartbeat cannot be saved. `errors` has a reason for each field."""

    code = "heartbeat.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class NewHeartbeat:
    """A heartbeat that was just made or got another token, which cannot be had again."""

    heartbeat: Heartbeat
    token: str


def ping(token: str, outcome: Outcome, *, now: datetime) -> None:
    """Note that a job called home. One statement, unless it was missing or says that it failed.

    Raises
    ------
    UnknownHeartbeat
    """
    parameters: dict[str, Any] = {"now": now, "outcome": outcome.value, "digest": digest_of(token)}
    with platform_scope(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_PING, parameters)
            found = cursor.fetchone()
        if found is None:
            raise UnknownHeartbeat("no heartbeat has this address")
        heartbeat_id, tenant_id, turned = found
        if turned:
            _tell(Heartbeat.objects.for_tenant(tenant_id).filter(pk=heartbeat_id), now)


def status_of(heartbeat: Heartbeat) -> str:
    """`off`, `down`, `new`, `started` or `up`."""
    if not heartbeat.enabled:
        return "off"
    if heartbeat.down_since is not None:
        return "down"
    if heartbeat.due_at is None:
        return "new"
    return "started" if heartbeat.last_outcome == Outcome.START else "up"


def begin_missing(*, now: datetime, limit: int = DUE_AT_ONCE) -> int:
    """Begin the alerts of heartbeats that are due and did not come. How many."""
    with platform_scope():
        due = Heartbeat.across_tenants.filter(due_at__lte=now).order_by("due_at")
        by_tenant: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for tenant_id, heartbeat_id in due.values_list("tenant_id", "pk")[:limit]:
            by_tenant[tenant_id].append(heartbeat_id)
    return sum(_begin_missing(tenant_id, ids, now) for tenant_id, ids in by_tenant.items())


def _begin_missing(tenant_id: UUID, ids: Sequence[UUID], now: datetime) -> int:
    with tenant_scope(tenant_id), transaction.atomic():
        rows = Heartbeat.objects.for_tenant(tenant_id)
        due = rows.filter(pk__in=ids, due_at__lte=now).order_by("pk").select_for_update(skip_locked=True)
        missing = rows.filter(pk__in=list(due.values_list("pk", flat=True)))
        count = missing.update(due_at=None, down_since=now)
        _tell(missing, now)
        return count


def create(heartbeat: Heartbeat, author: Author) -> NewHeartbeat:
    """Store a new heartbeat. It waits from its first ping on.

    Raises
    ------
    InvalidHeartbeat, ValidationError
        Nothing is stored then.
    """
    token, heartbeat.token_digest = new_token()
    heartbeat.full_clean()
    check(heartbeat)
    with transaction.atomic():
        heartbeat.save(force_insert=True)
        _record(heartbeat, author, "created")
    return NewHeartbeat(heartbeat, token)


def change(heartbeat: Heartbeat, author: Author) -> Heartbeat:
    """Store a change. Its terms hold for the ping that is awaited; an alert goes on under its new labels.

    Raises
    ------
    InvalidHeartbeat, ValidationError
        Nothing is stored then.
    """
    heartbeat.full_clean()
    check(heartbeat)
    with transaction.atomic():
        rows = Heartbeat.objects.for_tenant(heartbeat.tenant_id).filter(pk=heartbeat.pk)
        before = rows.select_for_update().get()
        for name in ("last_ping_at", "last_outcome", "down_since", "token_digest"):
            setattr(heartbeat, name, getattr(before, name))
        heartbeat.due_at = _due_after_change(before, heartbeat, author.now)
        if not heartbeat.enabled:
            heartbeat.down_since = None
        heartbeat.save()
        if before.down_since is not None and _posted(before) != _posted(heartbeat):
            _end(before, author.now)
        if before.down_since is not None:
            _tell(rows, author.now)
        _record(heartbeat, author, "changed")
    return heartbeat


def rotate(heartbeat: Heartbeat, author: Author) -> NewHeartbeat:
    """Give it another token; the old one is void at once."""
    token, heartbeat.token_digest = new_token()
    with transaction.atomic():
        heartbeat.save(update_fields=["token_digest"])
        _record(heartbeat, author, "token_replaced")
    return NewHeartbeat(heartbeat, token)


def delete(heartbeat: Heartbeat, author: Author) -> None:
    """Remove a heartbeat; its alert ends with it."""
    with transaction.atomic():
        rows = Heartbeat.objects.for_tenant(heartbeat.tenant_id).filter(pk=heartbeat.pk)
        held = rows.select_for_update().first()
        if held is None:
            return
        if held.down_since is not None:
            _end(held, author.now)
        _record(heartbeat, author, "deleted")
        heartbeat.delete()


def check(heartbeat: Heartbeat) -> None:
    """Refuse labels and annotations that no alert could carry.

    Raises
    ------
    InvalidHeartbeat
    """
    for name in ("labels", "annotations"):
        texts = getattr(heartbeat, name)
        if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
            raise InvalidHeartbeat({name: "a mapping of names to texts is expected"})
        if any("\x00" in text for pair in texts.items() for text in pair):
            raise InvalidHeartbeat({name: "a text holds a NUL"})
    ours = {"alertname", "heartbeat"} & set(heartbeat.labels)
    if ours:
        raise InvalidHeartbeat({"labels": f"{min(ours)} is set by the platform"})
    try:
        _posted(heartbeat)
    except InvalidAlert as error:
        raise InvalidHeartbeat({"labels": str(error)}) from None


def _due_after_change(before: Heartbeat, after: Heartbeat, now: datetime) -> datetime | None:
    """When the ping that is awaited is missing, by the new terms."""
    if not after.enabled or before.down_since is not None:
        return None
    if not before.enabled:
        return now + timedelta(seconds=after.period_s + after.grace_s)
    if before.due_at is None:
        return None
    longer_s = after.period_s + after.grace_s - before.period_s - before.grace_s
    return before.due_at + timedelta(seconds=longer_s)


def _tell(rows: QuerySet[Heartbeat], now: datetime) -> None:
    """Have alerts say what heartbeats of one tenant are: down, or not any more."""
    by_reason: defaultdict[str, list[Heartbeat]] = defaultdict(list)
    for heartbeat in rows:
        by_reason[_reason(heartbeat)].append(heartbeat)
    for reason, heartbeats in by_reason.items():
        ends_at = now if reason == BACK else None
        posted = [replace(_posted(one), ends_at=ends_at) for one in heartbeats]
        _take(heartbeats[0].tenant_id, posted, reason, now)


def _reason(heartbeat: Heartbeat) -> str:
    if heartbeat.down_since is None:
        return BACK
    return "heartbeat_failed" if heartbeat.last_outcome == Outcome.FAIL else "heartbeat_missed"


def _end(heartbeat: Heartbeat, now: datetime) -> None:
    """End the alert of a heartbeat that is removed, or has other labels from now on."""
    _take(heartbeat.tenant_id, [replace(_posted(heartbeat), ends_at=now)], "heartbeat_changed", now)


def _take(tenant_id: UUID, posted: Sequence[Posted], reason: str, now: datetime) -> None:
    sender = Sender(Origin.HEARTBEAT, "heartbeat", began=reason, ended=reason)
    if take(tenant_id, posted, sender, now=now, timeout=FOREVER).groups:
        nudge_after_commit()


def _posted(heartbeat: Heartbeat) -> Posted:
    labels = {**heartbeat.labels, "alertname": ALERTNAME, "heartbeat": heartbeat.name}
    return Posted(checked_labels(labels), heartbeat.annotations)


def _record(heartbeat: Heartbeat, author: Author, what: str) -> None:
    detail = {"name": heartbeat.name, "period_s": heartbeat.period_s, "grace_s": heartbeat.grace_s}
    deed = Deed(author.name, f"heartbeat.{what}", f"heartbeat:{heartbeat.pk}", detail)
    record(heartbeat.tenant_id, deed, at=author.now)
