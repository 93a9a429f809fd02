"""What people do with alerts: acknowledge, assign, comment, snooze, resolve by hand, judge. One statement a
table, whether it is one alert or ten thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from alertsite.audit.services import Deed, record
from alertsite.core.clock import from_datetime
from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import fingerprint, label_set
from alertsite.tenancy.bulk import insert_rows
from rules.evaluation.states import Reason, State
from rules.models import AlertAction, AlertInstance, AlertTransition, Feedback, GroupedAlert
from rules.services import escalating
from rules.services.acknowledging import owe_acknowledgements
from rules.services.authoring import Author
from rules.services.dispatching import make_due, tell
from rules.services.nudging import nudge_after_commit, nudge_deliveries_after_commit
from rules.services.transitions import transition_id

MAX_AT_ONCE: Final = 20_000
MAX_SNOOZE: Final = timedelta(days=30)
Kind = AlertAction.Kind


@dataclass(frozen=True, slots=True)
class Handler:
    """One person at work on alerts of one tenant."""

    tenant_id: UUID
    author: Author

    def acknowledge(self, alerts: Sequence[UUID], text: str = "") -> int:
        """Say that somebody is on it: no repeats, no escalation. How many were not acknowledged before."""
        free = self._firing(alerts).filter(acknowledged_at=None)
        with transaction.atomic():
            ids = self._change(
                free, Kind.ACKNOWLEDGED, text, acknowledged_at=self._now, acknowledged_by=self.author.name
            )
            escalating.settle_alerts(self.tenant_id, ids, now=self._now)
            if owe_acknowledgements(self.tenant_id, ids, now=self._now):
                nudge_deliveries_after_commit()
        return len(ids)

    def unacknowledge(self, alerts: Sequence[UUID], text: str = "") -> int:
        """Take an acknowledgement back. How many had one."""
        taken = self._firing(alerts).exclude(acknowledged_at=None)
        with transaction.atomic():
            ids = self._change(taken, Kind.UNACKNOWLEDGED, text, acknowledged_at=None, acknowledged_by="")
            self._due(ids)
        return len(ids)

    def assign(self, alerts: Sequence[UUID], assignee: str) -> int:
        """Say whose it is; an empty name takes it back. How many changed."""
        other = self._firing(alerts).exclude(assignee=assignee)
        with transaction.atomic():
            return len(self._change(other, Kind.ASSIGNED, assignee, assignee=assignee))

    def comment(self, alerts: Sequence[UUID], text: str) -> int:
        """Say something about alerts, those that are over too."""
        if not text.strip():
            raise InvalidParameter("text", text, "a comment")
        known = AlertTransition.objects.for_tenant(self.tenant_id).filter(alert_id__in=alerts)
        ids = list(known.order_by().values_list("alert_id", flat=True).distinct())
        with transaction.atomic():
            self._record(ids, Kind.COMMENTED, text)
        return len(ids)

    def snooze(self, alerts: Sequence[UUID], until: datetime, text: str = "") -> int:
        """Not to be told of them until a moment. How many.

        Raises
        ------
        InvalidParameter
            If the moment is in the past or more than `MAX_SNOOZE` away.
        """
        if not self._now < until <= self._now + MAX_SNOOZE:
            raise InvalidParameter(
                "until", until.isoformat(), f"a moment within {MAX_SNOOZE.days} days from now"
            )
        with transaction.atomic():
            told = f"until {until.isoformat()} {text}".strip()
            ids = self._change(self._firing(alerts), Kind.SNOOZED, told, snoozed_until=until)
            escalating.settle_alerts(self.tenant_id, ids, now=self._now)
        return len(ids)

    def unsnooze(self, alerts: Sequence[UUID]) -> int:
        """To be told of them again. How many were snoozed."""
        asleep = self._firing(alerts).filter(snoozed_until__gt=self._now)
        with transaction.atomic():
            ids = self._change(asleep, Kind.UNSNOOZED, "", snoozed_until=None)
            self._due(ids)
        return len(ids)

    def undamp(self, alerts: Sequence[UUID]) -> int:
        """Tell of flapping alerts as of others. How many were damped."""
        damped = self._firing(alerts).filter(damped=True)
        with transaction.atomic():
            ids = self._change(damped, Kind.UNDAMPED, "", damped=False)
            self._due(ids)
        return len(ids)

    def resolve(self, alerts: Sequence[UUID], text: str = "") -> int:
        """Say that alerts are over for people. How many were not.

        Whoever was told is told the end. The rule goes on: the alert begins anew once its condition has
        ended and holds again.
        """
        with transaction.atomic():
            rows = list(self._firing(alerts).select_for_update(of=("self",)))
            self._change(self._firing([row.pk for row in rows]), Kind.RESOLVED, text, closed_at=self._now)
            if tell([self._closed(row) for row in rows], now=self._now):
                nudge_after_commit()
            escalating.settle_alerts(self.tenant_id, [row.pk for row in rows], now=self._now)
        return len(rows)

    def judge(self, alert_id: UUID, verdict: str, comment: str = "") -> Feedback:
        """Say whether an alert was useful or noise. A person's later word replaces the earlier one.

        Raises
        ------
        InvalidParameter
            If there never was such an alert.
        """
        history = AlertTransition.objects.for_tenant(self.tenant_id).filter(alert_id=alert_id)
        first, last = history.order_by("at", "pk").first(), history.order_by("at", "pk").last()
        end = history.filter(state=State.RESOLVED).order_by("at", "pk").first()
        if first is None or last is None:
            raise InvalidParameter("alert_id", alert_id, "the id of an alert of the tenant")
        with transaction.atomic():
            feedback: Feedback
            feedback, _ = Feedback.objects.for_tenant(self.tenant_id).update_or_create(
                alert_id=alert_id,
                actor=self.author.name,
                defaults={
                    "tenant_id": self.tenant_id,
                    "verdict": verdict,
                    "rule_id": last.rule_id,
                    "labels": last.labels,
                    "starts_at": first.at,
                    "ends_at": None if end is None else end.at,
                    "comment": comment,
                    "at": self._now,
                },
            )
            self._audit("feedback", [alert_id], verdict)
        return feedback

    @property
    def _now(self) -> datetime:
        return self.author.now

    def _firing(self, alerts: Sequence[UUID]) -> QuerySet[AlertInstance]:
        if len(alerts) > MAX_AT_ONCE:
            raise InvalidParameter("alerts", len(alerts), f"at most {MAX_AT_ONCE} at once")
        rows = AlertInstance.objects.for_tenant(self.tenant_id).filter(
            pk__in=alerts, state="firing", closed_at=None
        )
        return rows.order_by()

    def _change(self, rows: QuerySet[AlertInstance], kind: Kind, text: str, **values: Any) -> list[UUID]:
        """Set the values and keep what was done. The alerts that changed."""
        ids = list(rows.select_for_update(of=("self",)).values_list("pk", flat=True))
        AlertInstance.objects.for_tenant(self.tenant_id).filter(pk__in=ids).update(**values)
        self._record(ids, kind, text)
        return ids

    def _record(self, ids: Sequence[UUID], kind: Kind, text: str) -> None:
        insert_rows(
            [
                AlertAction(
                    tenant_id=self.tenant_id,
                    alert_id=alert_id,
                    kind=kind,
                    actor=self.author.name,
                    at=self._now,
                    text=text,
                )
                for alert_id in ids
            ]
        )
        self._audit(kind, ids, text)

    def _audit(self, kind: str, ids: Sequence[UUID], text: str) -> None:
        if not ids:
            return
        what = f"alert:{ids[0]}" if len(ids) == 1 else f"{len(ids)} alerts"
        detail = {"text": text[:300], "alerts": [str(one) for one in ids[:100]]}
        record(self.tenant_id, Deed(self.author.name, f"alert.{kind}", what, detail), at=self._now)

    def _due(self, ids: Sequence[UUID]) -> None:
        """Decide anew at once about the groups these alerts are in; nobody answers for them any more."""
        groups = GroupedAlert.objects.for_tenant(self.tenant_id).filter(alert_id__in=ids, firing=True)
        make_due(self.tenant_id, groups.values_list("group_id", flat=True), now=self._now)
        escalating.resume(self.tenant_id, ids, now=self._now)

    def _closed(self, row: AlertInstance) -> AlertTransition:
        return AlertTransition(
            id=transition_id(row.pk, from_datetime(self._now), "closed"),
            tenant_id=self.tenant_id,
            alert_id=row.pk,
            rule_id=row.rule_id,
            origin=row.origin,
            rule_version=0,
            previous=State.FIRING,
            state=State.RESOLVED,
            at=max(self._now, (row.fired_at or row.active_since) + timedelta(milliseconds=1)),
            fired_at=row.fired_at,
            fingerprint=fingerprint(label_set(row.labels)),
            labels=row.labels,
            annotations=row.annotations,
            trace={"reason": Reason.RESOLVED_BY_HAND, "by": self.author.name},
        )
