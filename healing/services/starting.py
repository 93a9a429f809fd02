"""Starting runs: by alerts that begin to fire, predictions that hold, the clock, and people.

A run is a row that is due; who starts the same thing twice makes one run. Whether it may begin is decided
when it is taken up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from django.db import connection, transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import fingerprint, format_labels, label_set, without_name
from alertsite.tenancy.scope import platform_scope, tenant_scope
from healing.models import HealingRun, Playbook
from healing.playbooks.planner import Plan
from healing.playbooks.references import Scope
from healing.playbooks.templates import parse_template, render
from healing.services.looking import series_that_hold
from healing.services.people import check_person
from healing.services.playbooks import compiled
from healing.services.telling import OWN
from rules.models import AlertTransition, Origin

log = structlog.get_logger(__name__)

CUES_AT_ONCE: Final = 2_000
PREDICTIONS_AT_ONCE: Final = 50
PREDICTION_LEASE: Final = timedelta(seconds=60)
MAX_SERIES: Final = 100
"""Of a prediction that start runs at once; the limits hold besides."""

_TAKE_CUES: Final = """
DELETE FROM healing_healingcue WHERE id IN (
    SELECT id FROM healing_healingcue ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) RETURNING tenant_id, transition_id
"""
_TAKE_PREDICTIONS: Final = """
WITH taken AS (
    SELECT id FROM healing_playbook
    WHERE enabled AND trigger_kind = 'prediction' AND next_due_at <= %(now)s AND leased_until <= %(now)s
    ORDER BY next_due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE healing_playbook held SET leased_until = %(until)s, fencing_token = held.fencing_token + 1
FROM taken WHERE held.id = taken.id RETURNING held.id, held.tenant_id, held.fencing_token
"""


class NothingToRun(PlatformError):
    """A playbook has no version, or there is no such alert."""

    code = "healing.nothing_to_run"


@dataclass(frozen=True, slots=True)
class Cause:
    """What starts a run."""

    kind: str
    key: str
    """The same for the same thing."""
    at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    alert_id: UUID | None = None
    transition_id: UUID | None = None
    person: str = ""


def start_from_cues(*, now: datetime) -> int:
    """Start the playbooks whose matchers take alerts that began to fire. Runs that were made.

    Cues are deleted in the transaction that makes their runs: none is lost, and none makes two.
    """
    with platform_scope(), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_TAKE_CUES, {"limit": CUES_AT_ONCE})
            taken = cursor.fetchall()
        by_tenant: dict[UUID, list[UUID]] = {}
        for tenant_id, transition_id in taken:
            by_tenant.setdefault(tenant_id, []).append(transition_id)
        return sum(_start_by_alerts(tenant, ids, now) for tenant, ids in by_tenant.items())


def _start_by_alerts(tenant_id: UUID, transitions: list[UUID], now: datetime) -> int:
    rows = list(AlertTransition.objects.for_tenant(tenant_id).filter(pk__in=transitions))
    playbooks = _with_plans(
        Playbook.objects.for_tenant(tenant_id)
        .filter(enabled=True, trigger_kind=Playbook.Trigger.ALERT)
        .select_related("version")
    )
    runs = [
        _run(playbook, plan, _cause_of(row), dry=not playbook.armed, now=now)
        for row in rows
        if not _is_own(row)
        for playbook, plan in playbooks
        if plan.playbook.trigger.matches(row.labels)
    ]
    return _store(tenant_id, runs)


def _is_own(row: AlertTransition) -> bool:
    """Alerts of healing itself start nothing."""
    return row.origin == Origin.PLATFORM and row.labels.get("alertname") in OWN


def _cause_of(row: AlertTransition) -> Cause:
    return Cause(
        kind=HealingRun.Cause.ALERT,
        key=str(row.pk),
        at=row.at,
        labels=row.labels,
        annotations=row.annotations,
        value=row.value,
        alert_id=row.alert_id,
        transition_id=row.pk,
    )


def _with_plans(playbooks: Iterable[Playbook]) -> list[tuple[Playbook, Plan]]:
    """Playbooks that read. One that an older release wrote and this one refuses is left out, and logged."""
    found = []
    for playbook in Playbook.across_tenants.filter(pk__in=[one.pk for one in playbooks]).select_related(
        "version"
    ):
        try:
            found.append((playbook, _plan(playbook)))
        except PlatformError as error:
            log.warning("healing.unreadable_playbook", playbook=str(playbook.pk), error=str(error))
    return found


def _plan(playbook: Playbook) -> Plan:
    if playbook.version is None:
        raise NothingToRun(f"playbook {playbook.name!r} has no version")
    return compiled(playbook.version.text)


def _run(playbook: Playbook, plan: Plan, cause: Cause, *, dry: bool, now: datetime) -> HealingRun:
    return HealingRun(
        id=uuid4(),
        tenant_id=playbook.tenant_id,
        playbook=playbook,
        playbook_name=playbook.name,
        version=playbook.version,
        dry=dry,
        cause=cause.kind,
        start_key=cause.key[:100],
        started_by=cause.person,
        labels=dict(cause.labels),
        annotations=dict(cause.annotations),
        value=cause.value,
        alert_id=cause.alert_id,
        transition_id=cause.transition_id,
        caused_at=cause.at,
        target=_target(plan, cause)[:500],
        created_at=now,
        next_at=now,
        leased_until=now,
    )


def _target(plan: Plan, cause: Cause) -> str:
    """What is repaired: as the playbook says, or the labels of the trigger."""
    labels = label_set(cause.labels)
    if plan.playbook.target:
        try:
            return render(
                parse_template(plan.playbook.target), Scope(cause.labels, cause.annotations, cause.value)
            )
        except PlatformError as error:
            log.warning("healing.no_target", playbook=plan.playbook.playbook, error=str(error))
    text = format_labels(labels)
    return text if len(text) <= 400 else f"fingerprint {fingerprint(labels):016x}"


def _store(tenant_id: UUID, runs: list[HealingRun]) -> int:
    """Those that are not there yet."""
    before = HealingRun.objects.for_tenant(tenant_id)
    keys = set(
        before.filter(start_key__in=[run.start_key for run in runs]).values_list("playbook_id", "start_key")
    )
    fresh = [run for run in runs if (run.playbook_id, run.start_key) not in keys]
    before.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def start_by_predictions(*, now: datetime) -> int:
    """Evaluate the predictions that are due; each series that has held for long enough starts a run, once."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(
            _TAKE_PREDICTIONS, {"now": now, "until": now + PREDICTION_LEASE, "limit": PREDICTIONS_AT_ONCE}
        )
        taken = cursor.fetchall()
    started = 0
    for playbook_id, tenant_id, token in taken:
        try:
            with tenant_scope(tenant_id):
                started += _predict(tenant_id, playbook_id, token, now)
        except PlatformError as error:
            log.warning("healing.prediction_failed", playbook=str(playbook_id), error=str(error))
    return started


def _predict(tenant_id: UUID, playbook_id: UUID, token: int, now: datetime) -> int:
    held = Playbook.objects.for_tenant(tenant_id).filter(pk=playbook_id, fencing_token=token)
    playbook = held.select_related("version").first()
    if playbook is None:
        return 0
    plan = _plan(playbook)
    terms = plan.playbook.trigger.prediction
    assert terms is not None
    now_ms = from_datetime(now)
    before: dict[str, dict[str, Any]] = playbook.holding
    holding, runs = {}, []
    for labels, value in series_that_hold(tenant_id, terms.expr, now=now)[:MAX_SERIES]:
        plain = without_name(labels)
        name = f"{fingerprint(plain):016x}"
        known = before.get(name, {"since_ms": now_ms, "started": False})
        ripe = not known["started"] and now_ms - known["since_ms"] >= terms.hold_for
        holding[name] = {"since_ms": known["since_ms"], "started": known["started"] or ripe}
        if ripe:
            key = f"prediction:{name}:{known['since_ms']}"
            cause = Cause(HealingRun.Cause.PREDICTION, key, now, dict(plain), value=value)
            runs.append(_run(playbook, plan, cause, dry=not playbook.armed, now=now))
    with transaction.atomic():
        due = now + timedelta(milliseconds=terms.every)
        if not held.update(holding=holding, next_due_at=due, leased_until=now):
            return 0
        return _store(tenant_id, runs)


def start_scheduled(playbook_id: UUID, *, now: datetime) -> HealingRun | None:
    """Start a playbook by the clock. One run a minute, however often it is asked."""
    with platform_scope():
        rows = Playbook.across_tenants.filter(pk=playbook_id, enabled=True, trigger_kind="schedule")
        playbook = rows.select_related("version").first()
        if playbook is None:
            return None
        key = f"schedule:{now:%FT%R}"
        cause = Cause(HealingRun.Cause.SCHEDULE, key, now)
        _store(playbook.tenant_id, [_run(playbook, _plan(playbook), cause, dry=not playbook.armed, now=now)])
        runs = HealingRun.objects.for_tenant(playbook.tenant_id)
        return runs.filter(playbook=playbook, start_key=key).first()


def start_for(playbook: Playbook, cause: Cause, *, dry: bool, now: datetime) -> HealingRun:
    """Start a playbook for an automation, by the rails of every run. One run a key.

    Raises
    ------
    NothingToRun
    """
    _store(playbook.tenant_id, [_run(playbook, _plan(playbook), cause, dry=dry, now=now)])
    found: HealingRun = HealingRun.objects.for_tenant(playbook.tenant_id).get(
        playbook=playbook, start_key=cause.key
    )
    return found


@dataclass(frozen=True, slots=True)
class Wish:
    """A run that a person asks for: over labels, or as if an alert had begun to fire."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    alert_id: UUID | None = None
    dry: bool = True


def start_by_hand(playbook: Playbook, wish: Wish, author: Author, *, is_person: bool) -> HealingRun:
    """Start a playbook for a person. It acts only if that is wished and the playbook is armed.

    Raises
    ------
    NothingToRun, NotAPerson
    """
    if not wish.dry:
        check_person(author.name, is_person=is_person)
        if not playbook.armed:
            raise NothingToRun(f"playbook {playbook.name!r} is not armed: it can only be rehearsed")
    cause = _wished(playbook, wish, author)
    run = _run(playbook, _plan(playbook), cause, dry=wish.dry, now=author.now)
    with transaction.atomic():
        run.save(force_insert=True)
        detail = {"playbook": playbook.name, "dry": wish.dry, "labels": dict(cause.labels)}
        deed = Deed(author.name, "healing_run.started", f"healing_run:{run.pk}", detail)
        record(playbook.tenant_id, deed, at=author.now)
    return run


def _wished(playbook: Playbook, wish: Wish, author: Author) -> Cause:
    key = f"person:{uuid4()}"
    if wish.alert_id is None:
        return Cause(
            HealingRun.Cause.PERSON, key, author.now, wish.labels, wish.annotations, person=author.name
        )
    rows = AlertTransition.objects.for_tenant(playbook.tenant_id).filter(alert_id=wish.alert_id)
    row = rows.filter(state=AlertTransition.State.FIRING).order_by("-at").first()
    if row is None:
        raise NothingToRun(f"alert {wish.alert_id} has never fired in this tenant")
    return Cause(
        HealingRun.Cause.PERSON,
        key,
        author.now,
        row.labels,
        row.annotations,
        row.value,
        row.alert_id,
        row.pk,
        author.name,
    )
