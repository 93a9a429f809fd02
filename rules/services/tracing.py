"""The whole story of one alert, in order: states, routes, groups, what kept it silent, attempts, people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from rules.models import (
    AlertAction,
    AlertTransition,
    DeliveryAttempt,
    EscalationStep,
    GroupedAlert,
    IncidentAlert,
    OutboxMessage,
    Suppression,
    ToldAlert,
)
from rules.notify.wording import UNKNOWN, Entry, sentence
from rules.services.archiving import LEDGER_RETENTION


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened to an alert, and why people were or were not told."""

    alert_id: UUID
    entries: list[Entry]
    verdict: Entry


def trace(tenant_id: UUID, alert_id: UUID) -> Trace | None:
    """The story of an alert; None if there never was one of this id."""
    source = _Source(tenant_id, alert_id)
    transitions = source.transitions()
    if not transitions:
        return None
    messages = source.messages()
    entries = [
        *_of_transitions(transitions),
        *_of_messages(messages),
        *source.suppressions(),
        *source.actions(),
        *source.escalations(messages),
        *source.incidents(),
    ]
    entries.sort(key=lambda entry: entry.at)
    return Trace(alert_id, entries, source.verdict(transitions, messages))


def undelivered(tenant_id: UUID, *, before: datetime) -> list[AlertTransition]:
    """Alerts that fired before a moment, and nobody was told: no message delivered or under way, and no
    recorded reason. The promise is that there are none, but for dead letters.
    """
    return list(
        nobody_told(tenant_id)
        .filter(at__lt=before, at__gt=before - LEDGER_RETENTION)
        .order_by("-at", "pk")[:1000]
    )


def nobody_told(tenant_id: UUID) -> QuerySet[AlertTransition]:
    """The firing of which nobody was told, whenever it was."""
    fired = AlertTransition.objects.for_tenant(tenant_id).filter(state="firing")
    alive = ToldAlert.objects.for_tenant(tenant_id).filter(message__status__in=["delivered", "due"])
    kept = Suppression.objects.for_tenant(tenant_id)
    waiting = GroupedAlert.objects.for_tenant(tenant_id).filter(group__next_flush_at__isnull=False)
    return (
        fired.exclude(alert_id__in=alive.values("alert_id"))
        .exclude(alert_id__in=kept.values("alert_id"))
        .exclude(alert_id__in=waiting.filter(verdict="").values("alert_id"))
    )


@dataclass(frozen=True, slots=True)
class _Source:
    tenant_id: UUID
    alert_id: UUID

    def transitions(self) -> list[AlertTransition]:
        rows = AlertTransition.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id)
        return list(rows.order_by("at", "pk"))

    def messages(self) -> list[OutboxMessage]:
        told = ToldAlert.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id)
        rows = OutboxMessage.objects.for_tenant(self.tenant_id).filter(pk__in=told.values("message_id"))
        attempts = DeliveryAttempt.objects.for_tenant(self.tenant_id).order_by("number")
        return list(rows.select_related("receiver").prefetch_related(Prefetch("history", queryset=attempts)))

    def suppressions(self) -> Iterator[Entry]:
        rows = Suppression.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id)
        for row in rows:
            facts = {"receiver": row.receiver_name, "detail": row.detail}
            yield Entry(row.at, f"suppressed.{row.reason}", facts)

    def actions(self) -> Iterator[Entry]:
        for row in AlertAction.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id):
            yield Entry(row.at, f"action.{row.kind}", {"actor": row.actor, "text": row.text})

    def escalations(self, messages: list[OutboxMessage]) -> Iterator[Entry]:
        """Steps that told of the alert; and those of its groups that reached nobody at all."""
        first = min((message.created_at for message in messages), default=None)
        groups = {message.group_id for message in messages if message.group_id is not None}
        vain = Q(message=None, escalation__group__in=groups, at__gte=first) if groups else Q(pk=None)
        rows = EscalationStep.objects.for_tenant(self.tenant_id).filter(Q(message__in=messages) | vain)
        for row in rows.select_related("escalation__policy"):
            facts = {"policy": row.escalation.policy.name, "step": row.step + 1, "told": row.told}
            yield Entry(row.at, "escalated" if row.message_id else "escalated.vain", facts)

    def incidents(self) -> Iterator[Entry]:
        rows = IncidentAlert.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id)
        for row in rows.select_related("incident"):
            facts = {"title": row.incident.title, "reason": row.reason, "evidence": row.evidence}
            yield Entry(row.started_at, "incident", facts)

    def verdict(self, transitions: list[AlertTransition], messages: list[OutboxMessage]) -> Entry:
        """Why people were or were not told, in one entry."""
        last = transitions[-1].at
        fired = [row for row in transitions if row.state == "firing"]
        if not fired:
            return Entry(last, "verdict.not_fired")
        delivered = sum(one.status == "delivered" for one in messages)
        if delivered:
            return Entry(last, "verdict.delivered", {"count": delivered})
        if any(one.status == "due" for one in messages):
            return Entry(last, "verdict.under_way")
        dead = [one for one in messages if one.status in ("dead", "cancelled")]
        if dead:
            return Entry(last, "verdict.dead", {"cause": dead[-1].cause})
        return self._unsent(fired[-1])

    def _unsent(self, fired: AlertTransition) -> Entry:
        """Why there is no message at all."""
        reasons = list(self.suppressions())
        if reasons:
            return Entry(reasons[-1].at, "verdict.suppressed", {"why": reasons[-1]})
        members = GroupedAlert.objects.for_tenant(self.tenant_id).filter(alert_id=self.alert_id)
        member = members.filter(group__next_flush_at__isnull=False).select_related("group").first()
        if member is not None:
            facts = {"group": member.group.group_key, "at": f"{member.group.next_flush_at:%FT%TZ}"}
            return Entry(fired.at, "verdict.waiting", facts)
        return Entry(fired.at, "verdict.no_route")


def in_words(found: Trace, language: str) -> tuple[list[dict[str, Any]], str]:
    """Each entry with its sentence, and the verdict's sentence."""
    told = [
        {
            "at": entry.at.isoformat(),
            "kind": entry.kind,
            "facts": {name: str(value) for name, value in entry.facts.items()},
            "text": sentence(entry, language),
        }
        for entry in found.entries
    ]
    why = found.verdict.facts.get("why")
    verdict = found.verdict
    if isinstance(why, Entry):
        verdict = Entry(verdict.at, verdict.kind, {"why": sentence(why, language)})
    return told, sentence(verdict, language)


def _of_transitions(transitions: list[AlertTransition]) -> Iterator[Entry]:
    for row in transitions:
        value = UNKNOWN if row.value is None else f"{row.value:g}"
        facts = {"value": value, "tick": row.trace.get("tick", ""), "expr": row.trace.get("expr", "")}
        kind = "ended_after_hand" if row.previous == "resolved" else row.state
        yield Entry(row.at, f"transition.{kind}", facts | {"reason": row.trace.get("reason", "")})
        for anomaly in row.trace.get("anomalies", []):
            yield Entry(row.at, "explained", {"text": anomaly["text"]})
        for route in row.trace.get("routes", []):
            yield Entry(row.at, "routed", route)


def _of_messages(messages: list[OutboxMessage]) -> Iterator[Entry]:
    for message in messages:
        name = message.receiver.name
        for attempt in message.history.all():
            outcome = (
                "lost" if attempt.finished_at is None else "delivered" if attempt.delivered else "failed"
            )
            facts = {"number": attempt.number, "receiver": name, "outcome": attempt.outcome}
            yield Entry(attempt.started_at, f"attempt.{outcome}", facts)
        told = {
            "receiver": name,
            "reason": message.reason,
            "receipt": message.receipt,
            "cause": message.cause,
            "attempts": message.attempts,
            "idempotency_key": message.idempotency_key,
        }
        yield Entry(message.delivered_at or message.created_at, f"message.{message.status}", told)
