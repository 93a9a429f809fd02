"""A tenant's routing as the stages read it: the tree, kept by revision, and what a flush has to know."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db.models import Q

from alertsite.core.clock import from_datetime
from alertsite.core.labels import MatchOp
from alertsite.tenancy.selecting import Selection, rows_of
from rules.alerts.flushing import Context, Timers
from rules.alerts.grouping import group_key, group_labels
from rules.alerts.inhibition import InhibitionIndex
from rules.alerts.inhibition import InhibitionRule as InhibitionTerms
from rules.alerts.intervals import NamedInterval, parse_named
from rules.alerts.matchers import Matchers, parse_matcher
from rules.alerts.recurrence import Recurrence
from rules.alerts.routes import Route as RouteNode
from rules.alerts.routes import RouteSpec, match, walk
from rules.alerts.routes import build_tree as resolve
from rules.alerts.silences import Silence as SilenceTerms
from rules.alerts.silences import SilenceIndex
from rules.models import (
    AggregationGroup,
    AlertInstance,
    InhibitionRule,
    MuteTimeInterval,
    NotificationSettings,
    Receiver,
    Route,
    Silence,
)

MAX_SOURCES: Final = 50_000
NEVER_MS: Final = 100 * 365 * 86_400_000
"""A repeat interval that does not come."""
_KEPT: Final = 1_000
_SETTINGS: Final = Selection(NotificationSettings)
_OF_TENANT: Final = f"""
SELECT {_SETTINGS.of("held")}, EXISTS (
    SELECT 1 FROM healing_playbook playbook
    WHERE playbook.tenant_id = held.tenant_id AND playbook.enabled AND playbook.trigger_kind = 'alert'
)
FROM rules_notificationsettings held WHERE tenant_id = %s
"""  # noqa: S608 (names of our own columns)
_SILENCE: Final = Selection(Silence)
_ACTIVE: Final = f"""
SELECT {_SILENCE.of("held")} FROM rules_silence held
WHERE tenant_id = %(tenant)s AND starts_at <= %(now)s AND ends_at > %(now)s
ORDER BY starts_at DESC, id
"""  # noqa: S608 (names of our own columns)
_INHIBITION: Final = Selection(InhibitionRule)
_ENABLED: Final = f"""
SELECT {_INHIBITION.of("held")} FROM rules_inhibitionrule held
WHERE tenant_id = %s AND enabled ORDER BY name
"""  # noqa: S608 (names of our own columns)
_NO_TREE: Final = RouteSpec(
    id="", group_by=("...",), group_wait_ms=0, group_interval_ms=60_000, repeat_interval_ms=4 * 3_600_000
)
"""Until a tenant has a tree, each alert goes to every receiver, by itself and at once."""


@dataclass(frozen=True, slots=True)
class Place:
    """A group an alert belongs to."""

    route: RouteNode
    receiver_id: UUID
    receiver_name: str
    labels: Mapping[str, str]
    group_key: str
    key: str
    """Digest of the group's key: it stays the same when a route's timers change."""

    @property
    def route_id(self) -> UUID | None:
        """Row of the route; None without a tree."""
        return UUID(self.route.id) if self.route.id else None

    @property
    def story(self) -> dict[str, str]:
        """As the trace of an alert tells it."""
        return {"path": self.route.path, "receiver": self.receiver_name, "group": self.group_key}


@dataclass(frozen=True, slots=True)
class Routing:
    """A tenant's tree and time intervals at one revision."""

    revision: int
    tree: RouteNode | None
    """None when there is nobody to tell."""
    receivers: Mapping[UUID, str]
    """Names of the receivers that are enabled."""
    intervals: Mapping[str, NamedInterval]
    nodes: Mapping[str, RouteNode]
    """Routes of the tree by id."""

    def places(self, labels: Mapping[str, str]) -> list[Place]:
        """The groups an alert belongs to. Receivers that are disabled have none."""
        if self.tree is None:
            return []
        found = []
        for route, _ in match(self.tree, labels):
            shared = group_labels(route, labels)
            for receiver in route.receivers:
                name = self.receivers.get(UUID(receiver))
                if name is not None:
                    shown = group_key(route, name, shared)
                    key = sha256(group_key(route, receiver, shared).encode()).hexdigest()
                    found.append(Place(route, UUID(receiver), name, shared, shown, key))
        return found


class _Kept:
    """Routings by tenant, read again when the tenant's revision is another."""

    def __init__(self) -> None:
        self._known: dict[UUID, Routing] = {}
        self._lock = threading.Lock()

    def get(self, tenant_id: UUID, revision: int) -> Routing | None:
        known = self._known.get(tenant_id)
        return known if known is not None and known.revision == revision else None

    def keep(self, tenant_id: UUID, routing: Routing) -> None:
        with self._lock:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[tenant_id] = routing


_kept = _Kept()


def settings_of(tenant_id: UUID) -> NotificationSettings:
    """The tenant's settings, made when they are first needed."""
    settings: NotificationSettings
    for row in rows_of(_OF_TENANT, [tenant_id]):
        settings = _SETTINGS.instance(row)
        settings.heals = row[_SETTINGS.width]
        return settings
    settings, _ = NotificationSettings.objects.for_tenant(tenant_id).get_or_create(tenant_id=tenant_id)
    return settings


def routing_of(tenant_id: UUID) -> Routing:
    """The tenant's routing, as of its last change. One statement when it is known already."""
    return routing_at(settings_of(tenant_id))


def routing_at(settings: NotificationSettings) -> Routing:
    """The routing of the settings' revision."""
    known = _kept.get(settings.tenant_id, settings.revision)
    if known is None:
        known = _read(settings.tenant_id, settings.revision)
        _kept.keep(settings.tenant_id, known)
    return known


def _read(tenant_id: UUID, revision: int) -> Routing:
    enabled = Receiver.objects.for_tenant(tenant_id).filter(enabled=True)
    receivers: dict[UUID, str] = dict(enabled.order_by("name").values_list("pk", "name"))
    tree = build_tree(Route.objects.for_tenant(tenant_id).order_by("position", "pk"), _companions(enabled))
    if tree is None and receivers:
        tree = resolve(replace(_NO_TREE, receivers=tuple(map(str, receivers))))
    rows = MuteTimeInterval.objects.for_tenant(tenant_id)
    intervals = {row.name: parse_named(row.name, row.intervals) for row in rows}
    nodes = {node.id: node for node in walk(tree)} if tree is not None else {}
    return Routing(revision, tree, receivers, intervals, nodes)


def _companions(receivers: Iterable[Receiver]) -> dict[UUID, list[str]]:
    """Who is told along with a receiver."""
    found: defaultdict[UUID, list[str]] = defaultdict(list)
    for receiver in receivers:
        if receiver.along_with_id is not None:
            found[receiver.along_with_id].append(str(receiver.pk))
    return found


def build_tree(
    rows: Iterable[Route], companions: Mapping[UUID, Sequence[str]] | None = None
) -> RouteNode | None:
    """The resolved tree of stored routes; None without a root. `companions` are told along with a receiver.

    Raises
    ------
    InvalidRoute, InvalidMatcher
    """
    children: defaultdict[UUID | None, list[Route]] = defaultdict(list)
    for row in rows:
        children[row.parent_id].append(row)
    roots = children[None]
    return resolve(_spec(roots[0], children, companions or {})) if roots else None


def _spec(
    row: Route,
    children: Mapping[UUID | None, Sequence[Route]],
    companions: Mapping[UUID, Sequence[str]],
) -> RouteSpec:
    below = sorted(children.get(row.pk, ()), key=lambda one: (one.position, str(one.pk)))
    return RouteSpec(
        id=str(row.pk),
        receivers=None
        if row.receiver_id is None
        else (str(row.receiver_id), *companions.get(row.receiver_id, ())),
        matchers=matchers_of(row.matchers),
        group_by=None if row.group_by is None else tuple(row.group_by),
        group_wait_ms=_ms(row.group_wait_s),
        group_interval_ms=_ms(row.group_interval_s),
        repeat_interval_ms=_ms(row.repeat_interval_s),
        continues=row.continues,
        mute_names=tuple(row.mute_time_intervals),
        active_names=tuple(row.active_time_intervals),
        escalation=None if row.escalation_policy_id is None else str(row.escalation_policy_id),
        children=tuple(_spec(child, children, companions) for child in below),
    )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


def terms_of(silence: Silence) -> SilenceTerms:
    """A silence as the stages read it.

    Raises
    ------
    PlatformError
        If a matcher or the recurrence is not valid.
    """
    recurrence = None
    if silence.recurrence:
        recurrence = Recurrence(silence.recurrence, (silence.duration_s or 0) * 1000, silence.timezone)
    return SilenceTerms(
        id=str(silence.pk),
        matchers=matchers_of(silence.matchers),
        starts_ms=from_datetime(silence.starts_at),
        ends_ms=from_datetime(silence.ends_at),
        recurrence=recurrence,
        approved=not silence.needs_approval or silence.approved_at is not None,
        comment=silence.comment,
        author=silence.author,
    )


def matchers_of(texts: Iterable[str]) -> Matchers:
    """Matchers from their notation."""
    return tuple(parse_matcher(text) for text in texts)


@dataclass(frozen=True, slots=True)
class FlushTerms:
    """What decides about the groups of one tenant at one moment."""

    routing: Routing
    silences: SilenceIndex
    inhibition: InhibitionIndex

    def node(self, group: AggregationGroup) -> RouteNode | None:
        """The route of a group; None once nothing leads there."""
        if group.orphaned:
            return None
        return self.routing.nodes.get(str(group.route_id) if group.route_id else "")

    def context(self, group: AggregationGroup, now: datetime) -> Context:
        """What the stage is told about a group."""
        node, now_ms = self.node(group), from_datetime(now)
        muted = () if node is None else self._active(node.mute_names, now_ms)
        outside = () if node is None else self._outside(node.active_names, now_ms)
        return Context(
            timers=Timers(
                group_wait_ms=0 if node is None else node.group_wait_ms,
                group_interval_ms=group.group_interval_s * 1000,
                repeat_interval_ms=NEVER_MS if node is None else node.repeat_interval_ms,
            ),
            silences=self.silences,
            inhibition=self.inhibition,
            now_ms=now_ms,
            send_resolved=group.receiver.send_resolved,
            muted_by=", ".join(muted) or None,
            outside_active=", ".join(outside) or None,
        )

    def muted_names(self, labels: Mapping[str, str], now_ms: int) -> list[str]:
        """Time intervals that mute every route of an alert."""
        if self.routing.tree is None:
            return []
        found = [
            (*self._active(route.mute_names, now_ms), *self._outside(route.active_names, now_ms))
            for route, _ in match(self.routing.tree, labels)
        ]
        return sorted({name for names in found for name in names}) if all(found) else []

    def _active(self, names: Sequence[str], now_ms: int) -> tuple[str, ...]:
        """Those of the intervals that contain the moment."""
        return tuple(name for name in names if self._contains(name, now_ms))

    def _outside(self, names: Sequence[str], now_ms: int) -> tuple[str, ...]:
        """All of them, when none contains the moment."""
        return () if any(self._contains(name, now_ms) for name in names) else tuple(names)

    def _contains(self, name: str, now_ms: int) -> bool:
        known = self.routing.intervals.get(name)
        return known is not None and known.contains(now_ms)


def flush_terms(tenant_id: UUID, *, now: datetime) -> FlushTerms:
    """Routing, active silences, inhibition rules and the alerts that inhibit. Four statements at most."""
    active = rows_of(_ACTIVE, {"tenant": tenant_id, "now": now})
    enabled = [_INHIBITION.instance(row) for row in rows_of(_ENABLED, [tenant_id])]
    rules = [
        InhibitionTerms(
            str(row.pk), matchers_of(row.source_matchers), matchers_of(row.target_matchers), tuple(row.equal)
        )
        for row in enabled
    ]
    return FlushTerms(
        routing=routing_of(tenant_id),
        silences=SilenceIndex([terms_of(_SILENCE.instance(row)) for row in active]),
        inhibition=InhibitionIndex(rules, _sources(tenant_id, rules)),
    )


def _sources(tenant_id: UUID, rules: Sequence[InhibitionTerms]) -> list[tuple[str, dict[str, str]]]:
    """Alerts that fire and may inhibit: narrowed in the database by what matchers ask to be equal."""
    if not rules:
        return []
    wanted = Q()
    for rule in rules:
        equal = {one.name: one.value for one in rule.source if one.op is MatchOp.EQUAL and one.value}
        wanted |= Q(labels__contains=equal)
    firing = AlertInstance.objects.for_tenant(tenant_id).filter(state="firing", closed_at=None)
    rows = firing.filter(wanted).order_by().values_list("pk", "labels")[:MAX_SOURCES]
    return [(str(pk), labels) for pk, labels in rows]
