"""Active alerts in and out of the database, and the groups that a change of state makes due."""

from __future__ import annotations

import math
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.labels import LabelSet, fingerprint, label_set
from alertsite.tenancy.bulk import insert_rows
from alertsite.tenancy.selecting import rows_of
from rules.evaluation.states import NEVER, ActiveAlerts, Reason, State
from rules.evaluation.tick import AlertChange, Tick
from rules.models import AlertInstance, AlertTransition, Rule, Shard
from rules.services.dispatching import tell
from rules.services.programs import LoadedShard

# Whoever resolves by hand at this moment is waited for: what the row says then is what is returned.
_REMOVE: Final = """
DELETE FROM rules_alertinstance WHERE id = ANY(%s) AND tenant_id = %s RETURNING id, closed_at
"""
_ALERT_SPACE = uuid.UUID("6f6d3c1e-4f0e-4f0f-9a53-6a1f5d8f2b10")
"""Namespace of alert ids: a tick that is evaluated twice makes the same alert, transition and message."""


@dataclass(frozen=True, slots=True)
class ActiveRows:
    """Active alerts of a shard: columns for the state machine, ids and labels beside them."""

    ids: list[UUID]
    alerts: ActiveAlerts
    labels: list[LabelSet]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a tick left in the database."""

    active: ActiveRows
    groups: int
    """Groups of alerts that were made due."""


def read_active(shard: Shard, loaded: LoadedShard) -> ActiveRows:
    """The active alerts of the shard's rules, in one statement."""
    found = list(
        AlertInstance.objects.for_tenant(shard.tenant_id)
        .filter(rule__group__shard=shard)
        .order_by()
        .values_list(
            "id", "rule_id", "series_fingerprint", "active_since", "fired_at", "keep_firing_since", "labels"
        )
    )
    position = loaded.program.specs.positions() if found else {}
    rows = [row for row in found if row[1].bytes in position]
    columns = [[position[row[1].bytes], row[2], _ms(row[3]), _ms(row[4]), _ms(row[5])] for row in rows]
    table = np.array(columns, np.int64).reshape(len(rows), 5)
    return ActiveRows(
        ids=[row[0] for row in rows],
        alerts=ActiveAlerts(*(np.ascontiguousarray(table[:, column]) for column in range(5))),
        labels=[label_set(row[6]) for row in rows],
    )


def _ms(moment: datetime | None) -> int:
    return NEVER if moment is None else from_datetime(moment)


def _moment(timestamp_ms: int) -> datetime | None:
    return None if timestamp_ms == NEVER else to_datetime(timestamp_ms)


def store(shard: Shard, loaded: LoadedShard, before: ActiveRows, tick: Tick, *, lateness_ms: int) -> Stored:
    """Write what the tick changed: alerts, transitions, groups. Called inside the tick's transaction."""
    ids = [
        before.ids[origin] if origin >= 0 else _alert_id(loaded, tick, position)
        for position, origin in enumerate(tick.origin.tolist())
    ]
    after = ActiveRows(ids, tick.alerts, tick.labels)
    if not tick.changes and not len(tick.touched):
        return Stored(after, 0)
    closed = _write_alerts(shard, loaded, before, after, tick)
    history = [_transition(shard, before, tick, item, lateness_ms=lateness_ms) for item in tick.changes]
    mark_told_before(history, closed)
    return Stored(after, tell(history, now=to_datetime(tick.at_ms + lateness_ms)))


def _alert_id(loaded: LoadedShard, tick: Tick, position: int) -> UUID:
    alerts = tick.alerts
    return alert_id(
        loaded.program.specs[int(alerts.rule[position])].id,
        int(alerts.fingerprint[position]),
        int(alerts.active_since_ms[position]),
    )


def alert_id(rule_id: UUID, fingerprint: int, active_since_ms: int) -> UUID:
    """The id of an alert: the same whenever the same rule finds the same series at the same tick."""
    return uuid.uuid5(_ALERT_SPACE, f"{rule_id}/{fingerprint}/{active_since_ms}")


def _write_alerts(
    shard: Shard, loaded: LoadedShard, before: ActiveRows, after: ActiveRows, tick: Tick
) -> set[UUID]:
    """Returns the alerts that are over now and had been resolved by hand."""
    began = {(item.change.rule, item.fingerprint): item for item in tick.changes if item.change.origin < 0}
    fresh = []
    for position in np.flatnonzero(tick.origin < 0).tolist():
        item = began[int(tick.alerts.rule[position]), int(tick.alerts.fingerprint[position])]
        fresh.append(_instance(shard, loaded, after, position, item))
    insert_rows(fresh)

    moved = [item for item in tick.changes if item.change.origin >= 0]
    gone = [before.ids[item.change.origin] for item in moved if item.change.state != State.FIRING]
    closed = remove_alerts(shard.tenant_id, gone)
    AlertInstance.objects.for_tenant(shard.tenant_id).bulk_update(
        [
            AlertInstance(
                id=before.ids[item.change.origin],
                state=State.FIRING,
                fired_at=to_datetime(tick.at_ms),
                annotations=dict(item.annotations),
                value=finite(item.value),
            )
            for item in moved
            if item.change.state == State.FIRING
        ],
        ["state", "fired_at", "annotations", "value"],
        batch_size=2000,
    )
    _write_keep_firing(shard, before, tick)
    return closed


def _write_keep_firing(shard: Shard, before: ActiveRows, tick: Tick) -> None:
    """Alerts whose condition ended, or came back, while `keep_firing_for` holds them."""
    kept = np.flatnonzero(np.isin(tick.origin, tick.touched)).tolist()
    rows = [
        AlertInstance(
            id=before.ids[int(tick.origin[position])],
            keep_firing_since=_moment(int(tick.alerts.keep_firing_since_ms[position])),
        )
        for position in kept
    ]
    AlertInstance.objects.for_tenant(shard.tenant_id).bulk_update(
        rows, ["keep_firing_since"], batch_size=2000
    )


def _instance(
    shard: Shard, loaded: LoadedShard, after: ActiveRows, position: int, item: AlertChange
) -> AlertInstance:
    fires = item.change.state == State.FIRING
    return AlertInstance(
        id=after.ids[position],
        tenant_id=shard.tenant_id,
        rule_id=loaded.program.specs[item.change.rule].id,
        series_fingerprint=item.fingerprint,
        labels=dict(item.labels),
        annotations=dict(item.annotations),
        state=item.change.state,
        value=finite(item.value),
        active_since=to_datetime(int(after.alerts.active_since_ms[position])),
        fired_at=_moment(int(after.alerts.fired_at_ms[position])) if fires else None,
    )


def _transition(
    shard: Shard, before: ActiveRows, tick: Tick, item: AlertChange, *, lateness_ms: int
) -> AlertTransition:
    change, spec = item.change, item.spec
    identity = (
        before.ids[change.origin] if change.origin >= 0 else alert_id(spec.id, item.fingerprint, tick.at_ms)
    )
    return AlertTransition(
        id=transition_id(identity, tick.at_ms, change.state),
        tenant_id=shard.tenant_id,
        alert_id=identity,
        rule_id=spec.id,
        rule_version=spec.version,
        previous=change.previous,
        state=change.state,
        at=to_datetime(tick.at_ms),
        fired_at=to_datetime(tick.at_ms)
        if change.state == State.FIRING
        else _moment(int(before.alerts.fired_at_ms[change.origin]))
        if change.origin >= 0
        else None,
        fingerprint=fingerprint(item.labels),
        labels=dict(item.labels),
        annotations=dict(item.annotations),
        value=finite(item.value),
        trace={
            "reason": change.reason,
            "expr": spec.expr,
            "value": finite(item.value),
            "tick": to_datetime(tick.at_ms).isoformat(),
            "lateness_s": lateness_ms / 1000,
            "hold_for_s": spec.hold_for_ms / 1000,
            "shard": str(shard.pk),
        }
        | ({"anomalies": [one.as_facts() for one in item.anomalies]} if item.anomalies else {}),
    )


def transition_id(identity: UUID, at_ms: int, state: str) -> UUID:
    """The id of a transition: an alert changes to a state once a tick."""
    return uuid.uuid5(identity, f"{at_ms}/{state}")


def remove_alerts(tenant_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Remove alerts that are over. Those of them that somebody had resolved by hand."""
    if not ids:
        return set()
    return {row[0] for row in rows_of(_REMOVE, [list(ids), tenant_id]) if row[1] is not None}


def mark_told_before(ends: Iterable[AlertTransition], closed: Collection[UUID]) -> None:
    """Let the ends of alerts that were resolved by hand say so: their end was told and is in history.

    What ends now is the condition alone, so that the alert may begin anew; a second `resolved` would be told
    and counted again.
    """
    for row in ends:
        if row.alert_id in closed:
            row.previous, row.state = State.RESOLVED, State.INACTIVE


def finite(value: float) -> float | None:
    """A value that JSON and clients can carry; None for NaN and infinities."""
    return value if math.isfinite(value) else None


def retire_alerts(rule: Rule, *, now: datetime) -> int:
    """End every alert of a rule that is evaluated no more; the firing ones resolve and are told. Groups made
    due.
    """
    alerts = list(AlertInstance.objects.for_tenant(rule.tenant_id).filter(rule=rule))
    history = [_retirement(alert, rule, now=now) for alert in alerts]
    mark_told_before(history, remove_alerts(rule.tenant_id, [alert.pk for alert in alerts]))
    return tell(history, now=now)


def _retirement(alert: AlertInstance, rule: Rule, *, now: datetime) -> AlertTransition:
    state = State.RESOLVED if alert.state == State.FIRING else State.INACTIVE
    # A tick later than this moment may have been evaluated while the rule was waited for.
    at = max(now, (alert.fired_at or alert.active_since) + timedelta(milliseconds=1))
    return AlertTransition(
        id=transition_id(alert.pk, from_datetime(at), state),
        tenant_id=alert.tenant_id,
        alert_id=alert.pk,
        rule=rule,
        rule_version=rule.version,
        previous=alert.state,
        state=state,
        at=at,
        fired_at=alert.fired_at,
        fingerprint=fingerprint(label_set(alert.labels)),
        labels=alert.labels,
        trace={"reason": Reason.RULE_NOT_ACTIVE, "rule_state": rule.state},
    )
