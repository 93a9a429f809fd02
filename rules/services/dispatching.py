"""From a change of state to the groups that tell of it: which routes take an alert, when its groups are due.

Called inside the transaction that stores the change, so that no alert fires without a group that is due, or a
recorded reason why no route takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.tenancy.bulk import Writes, as_document
from rules.alerts.grouping import first_flush_ms
from rules.evaluation.states import NOTIFIED, State
from rules.models import AggregationGroup, AlertTransition, GroupedAlert, NotificationSettings
from rules.services.damping import note_flapping
from rules.services.nudging import nudge_after_commit, nudge_healing_after_commit
from rules.services.routing import Place, Routing, routing_at, routing_of, settings_of

# Whoever changes groups of a tenant takes them in the order of their keys: nobody waits in a circle.
_HOLD: Final = """
SELECT id FROM rules_aggregationgroup
WHERE id IN (
    SELECT id FROM rules_aggregationgroup WHERE tenant_id = %(tenant)s AND key = ANY(%(keys)s)
    UNION
    SELECT group_id FROM rules_groupedalert WHERE alert_id = ANY(%(resolved)s) AND firing
)
ORDER BY key FOR UPDATE
"""

# A group that has told flushes again at whole group intervals after its first flush, as in Alertmanager.
_TICK: Final = """
held.anchor_at + make_interval(secs => {interval} * ceil(
    GREATEST(EXTRACT(EPOCH FROM %(now)s - held.anchor_at), 0) / {interval}
)::double precision)
"""

_JOIN: Final = f"""
WITH joined AS (
    INSERT INTO rules_aggregationgroup AS held (
        id, tenant_id, key, route_id, receiver_id, orphaned, labels, group_key, group_interval_s,
        next_flush_at, generation, last_reason, leased_until, fencing_token, created_at
    )
    SELECT gen_random_uuid(), %(tenant)s, key, route, receiver, false, labels, group_key, interval_s,
        first_flush, 0, '', %(now)s, 0, %(now)s
    FROM json_to_recordset(%(wanted)s) AS wanted(
        key text, route uuid, receiver uuid, labels jsonb, group_key text, interval_s int,
        first_flush timestamptz
    )
    ORDER BY key
    ON CONFLICT (tenant_id, key) DO UPDATE SET
        route_id = EXCLUDED.route_id,
        orphaned = false,
        group_interval_s = EXCLUDED.group_interval_s,
        next_flush_at = LEAST(held.next_flush_at, CASE
            WHEN held.anchor_at IS NULL THEN EXCLUDED.next_flush_at
            ELSE {_TICK.format(interval="EXCLUDED.group_interval_s")}
        END)
    RETURNING key, id
), added AS (
    INSERT INTO rules_groupedalert (
        tenant_id, group_id, fingerprint, alert_id, transition_id, firing, starts_at, sent, verdict, detail
    )
    SELECT %(tenant)s, joined.id, fingerprint, alert_id, transition_id, true, starts_at, '', '', ''
    FROM json_to_recordset(%(members)s) AS wanted(
        key text, fingerprint bigint, alert_id uuid, transition_id uuid, starts_at timestamptz
    ) JOIN joined USING (key)
    ON CONFLICT (group_id, fingerprint) DO NOTHING
    RETURNING 1
)
SELECT key, id, (SELECT count(*) FROM added) FROM joined
"""  # noqa: S608 (constants of this module)

_MEMBERS: Final = """json_to_recordset(%(members)s) AS wanted(
    group_id uuid, fingerprint bigint, alert_id uuid, transition_id uuid, starts_at timestamptz
)"""

# An alert that begins anew before its end was told goes on as the same member: its end is told once.
_TAKE_OVER: Final = f"""
UPDATE rules_groupedalert member SET
    alert_id = wanted.alert_id, transition_id = wanted.transition_id, firing = true,
    starts_at = wanted.starts_at, verdict = '', detail = ''
FROM {_MEMBERS}
WHERE member.group_id = wanted.group_id AND member.fingerprint = wanted.fingerprint
    AND member.transition_id <> wanted.transition_id
"""  # noqa: S608 (constants of this module)

# A life of an alert that began and ended before its group was told is not lost without a word.
_SUPERSEDE: Final = f"""
INSERT INTO rules_suppression (tenant_id, alert_id, group_id, receiver_name, at, reason, detail)
SELECT member.tenant_id, member.alert_id, member.group_id, receiver.name, %(now)s, 'superseded',
    wanted.alert_id::text
FROM rules_groupedalert member
JOIN {_MEMBERS}
    ON member.group_id = wanted.group_id AND member.fingerprint = wanted.fingerprint
JOIN rules_aggregationgroup held ON held.id = member.group_id
JOIN rules_receiver receiver ON receiver.id = held.receiver_id
WHERE member.alert_id <> wanted.alert_id AND member.verdict = ''
"""  # noqa: S608 (constants of this module)

_RESOLVE: Final = f"""
WITH over AS (
    UPDATE rules_groupedalert member SET firing = false, transition_id = ended.transition_id
    FROM json_to_recordset(%(ended)s) AS ended(alert_id uuid, transition_id uuid)
    WHERE member.alert_id = ended.alert_id AND member.firing AND member.tenant_id = %(tenant)s
    RETURNING member.group_id
)
UPDATE rules_aggregationgroup held
SET next_flush_at = LEAST(held.next_flush_at, {_TICK.format(interval="held.group_interval_s")})
WHERE id IN (SELECT group_id FROM over)
RETURNING id
"""  # noqa: S608 (constants of this module)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An alert that fires, and a group it joins."""

    transition: AlertTransition
    place: Place
    first_flush_ms: int


def tell(
    history: Sequence[AlertTransition],
    *,
    now: datetime,
    settings: NotificationSettings | None = None,
    writes: Writes | None = None,
) -> int:
    """Store changes of state of one tenant and make the groups that tell of them due. Groups made due.

    Called inside a transaction. Changes that people are not told of are only stored. `settings` are the
    tenant's, where the caller has read them in this transaction; `writes` are stored with the changes.
    """
    if not history:
        return 0
    writes = writes or Writes()
    tenant_id = history[0].tenant_id
    told = [row for row in history if row.state in NOTIFIED]
    if not told:
        writes.insert(history)
        writes.store()
        return 0
    settings = settings or settings_of(tenant_id)
    arrivals = _routed(routing_at(settings), told, from_datetime(now))
    writes.insert(history)
    writes.store()
    firing = [row for row in told if row.state == State.FIRING]
    if firing and settings.heals:
        nudge_healing_after_commit()
    note_flapping(settings, firing, now=now)
    resolved = [row for row in told if row.state == State.RESOLVED]
    if not arrivals and not resolved:
        return 0
    moment: dict[str, Any] = {"tenant": tenant_id, "now": now}
    with connection.cursor() as cursor:
        if resolved:  # joining alone takes the groups in this order by itself
            keys = sorted({arrival.place.key for arrival in arrivals})
            cursor.execute(_HOLD, moment | {"keys": keys, "resolved": [row.alert_id for row in resolved]})
        groups = _join(cursor, arrivals, moment)
        if resolved:
            cursor.execute(_RESOLVE, moment | _ended(resolved))
            groups |= {row[0] for row in cursor.fetchall()}
    return len(groups)


def rejoin(tenant_id: UUID, firing: Sequence[AlertTransition], *, now: datetime) -> set[tuple[str, int]]:
    """Put alerts that fire into the groups they belong to now, where they are not in them yet.

    Called inside a transaction. Returns every place they belong to, as group key and fingerprint.
    """
    arrivals = _routed(routing_of(tenant_id), firing, from_datetime(now))
    wanted = {(one.place.key, one.transition.fingerprint or 0) for one in arrivals}
    members = GroupedAlert.objects.for_tenant(tenant_id).filter(
        firing=True, alert_id__in=[row.alert_id for row in firing]
    )
    there = set(members.values_list("group__key", "fingerprint"))
    fresh = [one for one in arrivals if (one.place.key, one.transition.fingerprint) not in there]
    with connection.cursor() as cursor:
        _join(cursor, fresh, {"tenant": tenant_id, "now": now})
    return wanted


def _routed(routing: Routing, told: Iterable[AlertTransition], now_ms: int) -> list[_Arrival]:
    """The groups each firing alert joins. Each change keeps in its trace which routes took it."""
    arrivals = []
    for row in told:
        if row.state != State.FIRING:
            continue
        places = routing.places(row.labels)
        row.trace["routes"] = [place.story for place in places]
        for place in places:
            began_ms = from_datetime(row.fired_at or row.at)
            due_ms = first_flush_ms(now_ms, began_ms, place.route.group_wait_ms)
            arrivals.append(_Arrival(row, place, due_ms))
    return arrivals


def _join(cursor: Any, arrivals: Sequence[_Arrival], moment: dict[str, Any]) -> set[UUID]:
    """Make or find the groups, and put the alerts into them. One statement, unless some were there before."""
    if not arrivals:
        return set()
    earliest: dict[str, _Arrival] = {}
    for arrival in arrivals:
        known = earliest.get(arrival.place.key)
        if known is None or arrival.first_flush_ms < known.first_flush_ms:
            earliest[arrival.place.key] = arrival
    wanted = [_wanted(one) for one in earliest.values()]
    members = {(one.place.key, one.transition.fingerprint): one.transition for one in arrivals}
    rows: list[dict[str, Any]] = [
        {
            "key": key,
            "fingerprint": fingerprint,
            "alert_id": row.alert_id,
            "transition_id": row.pk,
            "starts_at": row.fired_at or row.at,
        }
        for (key, fingerprint), row in members.items()
    ]
    cursor.execute(_JOIN, moment | {"wanted": as_document(wanted), "members": as_document(rows)})
    joined = cursor.fetchall()
    ids: dict[str, UUID] = {key: group for key, group, _ in joined}
    if joined[0][2] < len(rows):  # some were there before
        there = [row | {"group_id": ids[row["key"]]} for row in rows]
        terms = moment | {"members": as_document(there)}
        cursor.execute(_SUPERSEDE, terms)
        cursor.execute(_TAKE_OVER, terms)
    return set(ids.values())


def _wanted(arrival: _Arrival) -> dict[str, Any]:
    """The group an alert joins, as a row."""
    place = arrival.place
    return {
        "key": place.key,
        "route": place.route_id,
        "receiver": place.receiver_id,
        "labels": place.labels,
        "group_key": place.group_key,
        "interval_s": place.route.group_interval_ms // 1000,
        "first_flush": to_datetime(arrival.first_flush_ms),
    }


def _ended(resolved: Sequence[AlertTransition]) -> dict[str, str]:
    rows = [{"alert_id": row.alert_id, "transition_id": row.pk} for row in resolved]
    return {"ended": as_document(rows)}


def make_due(tenant_id: UUID, groups: Iterable[UUID], *, now: datetime) -> None:
    """Have groups decide anew at once, and wake whoever flushes."""
    rows = AggregationGroup.objects.for_tenant(tenant_id).filter(pk__in=list(groups))
    if rows.update(next_flush_at=now):
        nudge_after_commit()
