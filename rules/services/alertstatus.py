"""Alerts that fire, each with what keeps it silent now: as Alertmanager's API and amtool show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from alertsite.core.clock import from_datetime
from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import MatchOp, fingerprint, label_set
from rules.alerts.matchers import Matcher
from rules.models import AlertInstance, GroupedAlert, Silence
from rules.services.routing import FlushTerms, flush_terms

SILENCES_KEPT: Final = timedelta(days=5)
"""How long a silence that is over is still listed, as in Alertmanager."""
MAX_LISTED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts a listing shows."""

    matchers: tuple[Matcher, ...] = ()
    receiver: str = ""
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """An alert that fires, and why people are not told of it, if so."""

    alert: AlertInstance
    fingerprint: int
    receivers: list[str]
    silenced_by: list[str]
    inhibited_by: list[str]
    muted_by: list[str]

    @property
    def state(self) -> str:
        """`active` or `suppressed`."""
        return "suppressed" if self.silenced_by or self.inhibited_by or self.muted_by else "active"


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group with its alerts that fire."""

    labels: Mapping[str, str]
    receiver: str
    alerts: list[AlertStatus]


def alerts(tenant_id: UUID, wanted: Wanted, *, now: datetime) -> list[AlertStatus]:
    """Alerts that fire and are asked for, at most `MAX_LISTED`, the oldest first."""
    terms = flush_terms(tenant_id, now=now)
    rows = _matching(
        AlertInstance.objects.for_tenant(tenant_id).filter(state="firing", closed_at=None), wanted
    )
    found = [row for row in rows if all(one.matches(row.labels) for one in wanted.matchers)]
    routed = terms.routing
    listed = []
    for row in found:
        receivers = list(
            dict.fromkeys(routed.receivers[place.receiver_id] for place in routed.places(row.labels))
        )
        view = _status(row, receivers, terms, now)
        if _is_wanted(view, wanted):
            listed.append(view)
    return listed


def _matching(rows: QuerySet[AlertInstance], wanted: Wanted) -> Iterable[AlertInstance]:
    """What the database can narrow, narrowed there."""
    equal = {one.name: one.value for one in wanted.matchers if one.op is MatchOp.EQUAL and one.value}
    if equal:
        rows = rows.filter(labels__contains=equal)
    return rows.order_by("active_since", "pk")[:MAX_LISTED]


def _status(row: AlertInstance, receivers: list[str], terms: FlushTerms, now: datetime) -> AlertStatus:
    silence = terms.silences.find(row.labels, from_datetime(now))
    inhibited = terms.inhibition.inhibitor(str(row.pk), row.labels)
    muted = terms.muted_names(row.labels, from_datetime(now))
    return AlertStatus(
        alert=row,
        fingerprint=fingerprint(label_set(row.labels)),
        receivers=receivers,
        silenced_by=[] if silence is None else [silence.id],
        inhibited_by=[] if inhibited is None else [inhibited.source_alert_id],
        muted_by=muted,
    )


def _is_wanted(view: AlertStatus, wanted: Wanted) -> bool:
    return (
        (wanted.active or view.state != "active")
        and (wanted.silenced or not view.silenced_by)
        and (wanted.inhibited or not view.inhibited_by)
        and (wanted.muted or not view.muted_by)
        and (not wanted.receiver or wanted.receiver in view.receivers)
    )


def groups(tenant_id: UUID, wanted: Wanted, *, now: datetime) -> list[GroupStatus]:
    """Groups with the alerts that are asked for."""
    listed = {view.alert.pk: view for view in alerts(tenant_id, wanted, now=now)}
    members = (
        GroupedAlert.objects.for_tenant(tenant_id)
        .filter(firing=True, alert_id__in=list(listed))
        .select_related("group__receiver")
        .order_by("group__group_key", "group_id", "starts_at")
    )
    found: defaultdict[UUID, list[GroupedAlert]] = defaultdict(list)
    for member in members:
        found[member.group_id].append(member)
    return [
        GroupStatus(rows[0].group.labels, rows[0].group.receiver.name, [listed[row.alert_id] for row in rows])
        for rows in found.values()
    ]


def recent_silences(tenant_id: UUID, *, now: datetime) -> list[Silence]:
    """Silences that are to come, active, or over for less than `SILENCES_KEPT`."""
    rows = Silence.objects.for_tenant(tenant_id).filter(ends_at__gt=now - SILENCES_KEPT)
    return list(rows.order_by("ends_at", "pk"))


def silence_state(silence: Silence, now: datetime) -> str:
    """`pending`, `active` or `expired`; one that waits for approval is pending."""
    if silence.ends_at <= now:
        return "expired"
    waits = silence.needs_approval and silence.approved_at is None
    return "pending" if waits or silence.starts_at > now else "active"


def matcher_text(posted: Mapping[str, Any]) -> str:
    """A matcher of Alertmanager's JSON in our notation.

    Raises
    ------
    InvalidParameter
        If a field is missing or of another type.
    """
    name, value = posted.get("name"), posted.get("value")
    if not isinstance(name, str) or not isinstance(value, str):
        raise InvalidParameter("matchers", posted, "objects with name, value, isRegex and isEqual")
    negated, regex = not posted.get("isEqual", True), bool(posted.get("isRegex"))
    return Matcher(name, _OPS[negated, regex], value).text


_OPS: Final = {
    (False, False): MatchOp.EQUAL,
    (True, False): MatchOp.NOT_EQUAL,
    (False, True): MatchOp.REGEX,
    (True, True): MatchOp.NOT_REGEX,
}
