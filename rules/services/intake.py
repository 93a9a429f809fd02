"""Alerts that no rule made: sent by other systems, missing heartbeats, the platform's own.

They go through the state machine of rules, as a rule that holds at once and ends at once, and leave the same
history.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LABEL_NAME, LabelSet, fingerprint, label_set
from alertsite.tenancy.bulk import Writes, as_document, document_of
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.selecting import Selection, rows_of
from rules.evaluation.states import (
    NEVER,
    ActiveAlerts,
    Change,
    Exceptions,
    Holding,
    State,
    Step,
    Terms,
    advance,
)
from rules.models import AlertInstance, AlertTransition, NotificationSettings, Origin
from rules.services.dispatching import tell
from rules.services.routing import settings_of
from rules.services.transitions import mark_told_before, remove_alerts, transition_id

MAX_ALERTS_A_REQUEST: Final = 10_000
MAX_LABELS: Final = 64
MAX_TEXT: Final = 10_000
_BLANK: Final = document_of(AlertInstance(state=State.FIRING))
"""What an alert that nobody has handled holds in the columns that its sender does not fill."""
_AT_ONCE: Final = Terms(*(np.zeros(1, np.int64) for _ in range(3)))
_NO_EXCEPTION: Final = Exceptions(np.zeros(1, bool), np.zeros(1, bool))

_ALERT: Final = Selection(AlertInstance)
# The tenant is compared as text, so that no index that begins with it is used: of a tenant whose alerts come
# faster than statistics the planner believes that it has one, and would read them all for each batch.
_KNOWN: Final = f"""
SELECT {_ALERT.of("known")} FROM rules_alertinstance known
WHERE series_fingerprint = ANY(%s) AND tenant_id::text = %s AND rule_id IS NULL
"""  # noqa: S608 (names of our own columns)

# Held in ascending order, so that two batches never wait for each other in a circle.
_HOLD: Final = """
SELECT pg_advisory_xact_lock(hashtext(%s), stripe) FROM unnest(%s::int[]) stripe
"""
STRIPES: Final = 256

_RENEW: Final = """
UPDATE rules_alertinstance held SET expires_at = posted.expires_at, annotations = posted.annotations
FROM json_to_recordset(%s) AS posted(id uuid, expires_at timestamptz, annotations jsonb)
WHERE held.id = posted.id
"""


class InvalidAlert(PlatformError):
    """A posted alert cannot be taken."""

    code = "alert.invalid"


@dataclass(frozen=True, slots=True)
class Posted:
    """An alert as somebody sent it."""

    labels: LabelSet
    annotations: Mapping[str, str] = field(default_factory=dict)
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    """When it is, or will be, over unless it is sent again. None: when the tenant's timeout has passed."""
    url: str = ""

    @property
    def fingerprint(self) -> int:
        """Identity of the alert."""
        return fingerprint(self.labels)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and what the trace says of it."""

    origin: Origin
    name: str
    began: str = "sent_as_firing"
    ended: str = "sent_as_resolved"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    began: int = 0
    ended: int = 0
    renewed: int = 0
    groups: int = 0
    """Groups that became due."""


def checked_labels(labels: Mapping[str, str]) -> LabelSet:
    """Labels of a posted alert; empty ones count as missing, as in Prometheus.

    Raises
    ------
    InvalidAlert
        If there are none, too many, or a name or value that no label may have.
    """
    kept = {name: value for name, value in labels.items() if value != ""}
    if not kept:
        raise InvalidAlert("an alert needs at least one label with a value")
    if len(kept) > MAX_LABELS:
        raise InvalidAlert(f"the alert has {len(kept)} labels, accepts at most {MAX_LABELS}")
    for name, value in kept.items():
        if not LABEL_NAME.fullmatch(name):
            raise InvalidAlert(f"label name {name[:100]!r} is not valid, accepts {LABEL_NAME.pattern}")
        if len(value) > MAX_TEXT or "\x00" in value:
            raise InvalidAlert(f"label {name} is longer than {MAX_TEXT} characters or contains a NUL")
    return label_set(kept)


def take(
    tenant_id: UUID,
    posted: Sequence[Posted],
    sender: Sender,
    *,
    now: datetime,
    timeout: timedelta | None = None,
) -> Taken:
    """Store a batch of alerts: new ones begin, known ones are renewed, those with an end in the past are
    over; one without an end ends after `timeout`, the tenant's own if none is given. All or nothing; sent
    twice, it is the same as once.
    """
    last = {one.fingerprint: one for one in posted}
    with transaction.atomic():
        _hold(tenant_id, last)
        found = map(_ALERT.instance, rows_of(_KNOWN, [list(last), str(tenant_id)]))
        rows = {row.series_fingerprint: row for row in found}
        known = list(rows.values())
        firing = [one for one in last.values() if one.ends_at is None or one.ends_at > now]
        step = _step(known, firing, now)
        settings = settings_of(tenant_id)
        if timeout is None:
            timeout = timedelta(seconds=settings.resolve_timeout_s)
        batch = _Batch(settings, sender, now, timeout)
        groups = batch.store(step, known, firing)
        batch.renew(rows, firing)
    began = sum(change.origin < 0 for change in step.changes)
    return Taken(began, len(step.changes) - began, len(step.alerts) - began, groups)


def expire(*, now: datetime, limit: int = 2_000) -> int:
    """End the alerts of other systems that nobody renewed in time. How many."""
    with platform_scope():
        due = AlertInstance.across_tenants.filter(rule=None, expires_at__lte=now).order_by("expires_at")
        by_tenant: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for tenant_id, alert_id in due.values_list("tenant_id", "pk")[:limit]:
            by_tenant[tenant_id].append(alert_id)
    return sum(_expire_of(tenant_id, alerts, now) for tenant_id, alerts in by_tenant.items())


def _expire_of(tenant_id: UUID, alerts: list[UUID], now: datetime) -> int:
    with tenant_scope(tenant_id), transaction.atomic():
        due = AlertInstance.objects.for_tenant(tenant_id).filter(pk__in=alerts, rule=None)
        _hold(tenant_id, due.values_list("series_fingerprint", flat=True))
        rows = list(due.filter(expires_at__lte=now))
        step = _step(rows, [], now)
        for origin in {row.origin for row in rows}:
            own = [change for change in step.changes if rows[change.origin].origin == origin]
            sender = Sender(Origin(origin), "", ended="not_renewed")
            _Batch(settings_of(tenant_id), sender, now, timedelta(0)).end(own, rows)
        return len(rows)


def _hold(tenant_id: UUID, fingerprints: Iterable[int]) -> None:
    """One writer of a foreign alert at a time: replicas of a Prometheus send the same at once.

    Alerts share `STRIPES` locks of their tenant: a lock for each would fill the table of locks.
    """
    stripes = sorted({fingerprint % STRIPES for fingerprint in fingerprints})
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [f"intake:{tenant_id}", stripes])


def _step(known: Sequence[AlertInstance], firing: Sequence[Posted], now: datetime) -> Step:
    """The state machine over this batch, as one rule."""
    columns = [
        [
            0,
            row.series_fingerprint,
            from_datetime(row.active_since),
            from_datetime(row.fired_at or now),
            NEVER,
        ]
        for row in known
    ]
    table = np.array(columns, np.int64).reshape(len(known), 5)
    before = ActiveAlerts(*(np.ascontiguousarray(table[:, column]) for column in range(5)))
    prints = np.array([one.fingerprint for one in firing], np.int64)
    holding = Holding(np.zeros(len(firing), np.int64), prints, np.ones(len(firing)))
    return advance(before, holding, _AT_ONCE, _NO_EXCEPTION, now_ms=from_datetime(now))


@dataclass(frozen=True, slots=True)
class _Batch:
    settings: NotificationSettings
    sender: Sender
    now: datetime
    timeout: timedelta

    @property
    def tenant_id(self) -> UUID:
        """Whose alerts they are."""
        return self.settings.tenant_id

    def store(self, step: Step, known: Sequence[AlertInstance], firing: Sequence[Posted]) -> int:
        """Write what began and what ended. Groups made due."""
        fresh = [self._instance(firing[change.element]) for change in step.changes if change.origin < 0]
        writes = Writes()
        writes.insert_documents(AlertInstance, fresh)
        history = [self._began(alert) for alert in fresh]
        ended = [change for change in step.changes if change.origin >= 0]
        groups = tell(history, now=self.now, settings=self.settings, writes=writes)
        return groups + self.end(ended, known)

    def end(self, changes: Sequence[Change], known: Sequence[AlertInstance]) -> int:
        """Write what ended. Groups made due."""
        rows = [known[change.origin] for change in changes]
        if not rows:
            return 0
        history = [self._ended(row) for row in rows]
        mark_told_before(history, remove_alerts(self.tenant_id, [row.pk for row in rows]))
        return tell(history, now=self.now, settings=self.settings)

    def renew(self, known: Mapping[int, AlertInstance], firing: Sequence[Posted]) -> None:
        """Put off the end of alerts that were sent again."""
        again = [(known[one.fingerprint], one) for one in firing if one.fingerprint in known]
        if again:
            rows = [
                {"id": row.pk, "expires_at": self._expiry(one), "annotations": dict(one.annotations)}
                for row, one in again
            ]
            with connection.cursor() as cursor:
                cursor.execute(_RENEW, [as_document(rows)])

    def _expiry(self, one: Posted) -> datetime:
        return one.ends_at or self.now + self.timeout

    def _instance(self, one: Posted) -> dict[str, Any]:
        began = min(one.starts_at or self.now, self.now)
        return _BLANK | {
            "id": uuid.uuid4(),
            "tenant_id": self.tenant_id,
            "origin": self.sender.origin,
            "series_fingerprint": one.fingerprint,
            "labels": dict(one.labels),
            "annotations": dict(one.annotations),
            "active_since": began,
            "fired_at": began,
            "expires_at": self._expiry(one),
            "source_url": one.url,
        }

    def _began(self, alert: Mapping[str, Any]) -> AlertTransition:
        return self._transition(alert, State.INACTIVE, State.FIRING, self.sender.began)

    def _ended(self, row: AlertInstance) -> AlertTransition:
        return self._transition(document_of(row), State.FIRING, State.RESOLVED, self.sender.ended)

    def _transition(
        self, alert: Mapping[str, Any], previous: State, state: State, reason: str
    ) -> AlertTransition:
        return AlertTransition(
            id=transition_id(alert["id"], from_datetime(self.now), state),
            tenant_id=self.tenant_id,
            alert_id=alert["id"],
            origin=self.sender.origin,
            rule_version=0,
            previous=previous,
            state=state,
            at=self.now,
            fired_at=alert["fired_at"],
            fingerprint=alert["series_fingerprint"],
            labels=alert["labels"],
            annotations=alert["annotations"],
            trace={"reason": reason, "sender": self.sender.name},
        )
