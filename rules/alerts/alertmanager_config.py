"""Alertmanager's configuration file: routes, receivers, inhibition, time intervals.

In: its YAML, the old `match` forms too. Out: a plain tree that names receivers and intervals as the file
does. Refused, with line, column and reason of every fault at once: whatever Alertmanager refuses in these
parts. What is sound but not taken over (templates, receivers of kinds not known here) is listed. Settings
of receivers are kept as they stand; secrets among them are the caller's to guard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration
from alertsite.core.labels import MatchOp
from rules.alerts.errors import InvalidInterval, InvalidMatcher
from rules.alerts.intervals import NamedInterval, TimeInterval, parse_named
from rules.alerts.matchers import Matcher, Matchers, parse_matchers
from rules.alerts.routes import BY_ALL_LABELS, MAX_DEPTH, RouteSpec
from rules.alerts.yaml_nodes import InvalidDocument, Problem, Reader, compose

KINDS = frozenset(
    {"webhook", "email", "slack", "pagerduty", "opsgenie", "telegram", "discord", "msteams", "sns"}
)
_PARTS = {"global", "templates", "route", "receivers", "inhibit_rules", "tracing"}
_INTERVALS = ("mute_time_intervals", "time_intervals")
_TOP = frozenset(_PARTS | {*_INTERVALS})
_TIMERS = ("group_wait", "group_interval", "repeat_interval")
_ROUTE = frozenset(
    {"receiver", "group_by", "continue", "match", "match_re", "matchers", "routes", *_TIMERS}
    | {"mute_time_intervals", "active_time_intervals"}
)
_SIDES = ("match", "match_re", "matchers")
_INHIBITION = frozenset(
    {"name", "equal", *(f"{side}_{form}" for side in ("source", "target") for form in _SIDES)}
)


@dataclass(frozen=True, slots=True)
class ConfigRoute:
    """A route of the file; None and "" mean: as the parent has it."""

    receiver: str = ""
    matchers: Matchers = ()
    group_by: tuple[str, ...] | None = None
    group_wait_ms: int | None = None
    group_interval_ms: int | None = None
    repeat_interval_ms: int | None = None
    continues: bool = False
    mute_names: tuple[str, ...] = ()
    active_names: tuple[str, ...] = ()
    children: tuple[ConfigRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class Integration:
    """One way of a receiver to reach people, with its settings as they stand in the file."""

    kind: str
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ConfigReceiver:
    """A named receiver."""

    name: str
    integrations: tuple[Integration, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigInhibition:
    """One inhibition rule."""

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertmanagerConfig:
    """What the file says. `not_taken` tells in words what was left out."""

    route: ConfigRoute
    receivers: tuple[ConfigReceiver, ...]
    inhibitions: tuple[ConfigInhibition, ...] = ()
    intervals: tuple[NamedInterval, ...] = ()
    defaults: Mapping[str, object] = field(default_factory=dict)
    """What stands under `global`."""
    not_taken: tuple[str, ...] = field(default=(), compare=False)


def parse_config(text: str) -> AlertmanagerConfig:
    """The configuration of a file.

    Raises
    ------
    InvalidDocument
        With all faults, in the order of the file.
    """
    root = compose(text)
    if root is None:
        raise InvalidDocument([Problem(1, 1, "the file is empty")])
    return _FileReader().read(root)


def route_spec(route: ConfigRoute, receivers: Mapping[str, tuple[str, ...]], name: str = "0") -> RouteSpec:
    """The route as the tree is built from, with the ids of receivers for their names; route ids are
    positions.
    """
    return RouteSpec(
        id=name,
        receivers=receivers[route.receiver] if route.receiver else None,
        matchers=route.matchers,
        group_by=route.group_by,
        group_wait_ms=route.group_wait_ms,
        group_interval_ms=route.group_interval_ms,
        repeat_interval_ms=route.repeat_interval_ms,
        continues=route.continues,
        mute_names=route.mute_names,
        active_names=route.active_names,
        children=tuple(
            route_spec(child, receivers, f"{name}.{number}") for number, child in enumerate(route.children)
        ),
    )


class _FileReader(Reader):
    """Reads the parts in the order in which they refer to each other."""

    def __init__(self) -> None:
        super().__init__()
        self._not_taken: list[str] = []
        self._receivers: frozenset[str] = frozenset()
        self._intervals: frozenset[str] = frozenset()

    def read(self, root: yaml.Node) -> AlertmanagerConfig:
        """The whole document."""
        top = self.fields(root, _TOP)
        defaults = self.plain(top["global"]) if "global" in top else {}
        receivers = tuple(self._receiver(node) for node in self.items(top.get("receivers")))
        self._receivers = self._names("receiver", root, [receiver.name for receiver in receivers])
        intervals = tuple(self._interval(node) for part in _INTERVALS for node in self.items(top.get(part)))
        self._intervals = self._names("time interval", root, [interval.name for interval in intervals])
        inhibitions = tuple(self._inhibition(node) for node in self.items(top.get("inhibit_rules")))
        if "route" not in top:
            self.refuse(root, "no route is given")
        route = self._root_route(top["route"]) if "route" in top else ConfigRoute()
        self._not_taken += [f"template file {self.text(node)}" for node in self.items(top.get("templates"))]
        if self.problems:
            raise InvalidDocument(self.problems)
        kept = defaults if isinstance(defaults, dict) else {}
        return AlertmanagerConfig(route, receivers, inhibitions, intervals, kept, tuple(self._not_taken))

    def _names(self, what: str, root: yaml.Node, names: Iterable[str]) -> frozenset[str]:
        for name, count in Counter(names).items():
            if count > 1:
                self.refuse(root, f"{what} {name!r} stands twice")
        return frozenset(names)

    def _receiver(self, node: yaml.Node) -> ConfigReceiver:
        parts = self.fields(node)
        name = self.text(parts.pop("name", None))
        if not name:
            self.refuse(node, "a receiver has no name")
        integrations: list[Integration] = []
        for part, value in parts.items():
            kind = part.removesuffix("_configs")
            if kind == part:
                self.refuse(value, f"unknown field {part!r} of a receiver")
            elif kind not in KINDS:
                self._not_taken.append(f"{part} of receiver {name}")
            else:
                integrations += [Integration(kind, self._settings(item)) for item in self.items(value)]
        return ConfigReceiver(name, tuple(integrations))

    def _settings(self, node: yaml.Node) -> dict[str, object]:
        self.fields(node)
        plain = self.plain(node)
        return plain if isinstance(plain, dict) else {}

    def _interval(self, node: yaml.Node) -> NamedInterval:
        parts = self.fields(node, {"name", "time_intervals"})
        name = self.text(parts.get("name"))
        if not name:
            self.refuse(node, "a time interval has no name")
        found: list[TimeInterval] = []
        for item in self.items(parts.get("time_intervals")):
            try:
                found += parse_named(name, [self.plain(item)]).intervals
            except InvalidInterval as error:
                self.refuse(item, str(error))
        return NamedInterval(name, tuple(found))

    def _inhibition(self, node: yaml.Node) -> ConfigInhibition:
        parts = self.fields(node, _INHIBITION)
        equal = tuple(self.text(item) for item in self.items(parts.get("equal")))
        return ConfigInhibition(self._matchers(parts, "source_"), self._matchers(parts, "target_"), equal)

    def _matchers(self, parts: Mapping[str, yaml.Node], prefix: str = "") -> Matchers:
        """All three forms together, as Alertmanager takes them."""
        found: list[Matcher] = []
        for form, op in (("match", MatchOp.EQUAL), ("match_re", MatchOp.REGEX)):
            node = parts.get(prefix + form)
            for name, value in self.fields(node).items() if node is not None else ():
                try:
                    found.append(Matcher(name, op, self.text(value)))
                except InvalidMatcher as error:
                    self.refuse(value, str(error))
        for item in self.items(parts.get(f"{prefix}matchers")):
            try:
                found += parse_matchers(self.text(item))
            except InvalidMatcher as error:
                self.refuse(item, str(error))
        return tuple(found)

    def _root_route(self, node: yaml.Node) -> ConfigRoute:
        route = self._route(node, 1)
        wrong = {
            "names no receiver": not route.receiver,
            "must not have matchers": bool(route.matchers),
            "cannot continue": route.continues,
            "must not have time intervals": bool(route.mute_names or route.active_names),
        }
        for reason, holds in wrong.items():
            if holds:
                self.refuse(node, f"the root route {reason}")
        return route

    def _route(self, node: yaml.Node, depth: int) -> ConfigRoute:
        parts = self.fields(node, _ROUTE)
        if depth > MAX_DEPTH:
            self.refuse(node, f"routes are nested deeper than {MAX_DEPTH}")
            return ConfigRoute()
        timers = [self._timer(name, parts.get(name)) for name in _TIMERS]
        return ConfigRoute(
            receiver=self._reference("receiver", parts.get("receiver"), self._receivers),
            matchers=self._matchers(parts),
            group_by=self._group_by(parts.get("group_by")),
            group_wait_ms=timers[0],
            group_interval_ms=timers[1],
            repeat_interval_ms=timers[2],
            continues=self.flag(parts.get("continue")),
            mute_names=self._interval_names(parts.get("mute_time_intervals")),
            active_names=self._interval_names(parts.get("active_time_intervals")),
            children=tuple(self._route(child, depth + 1) for child in self.items(parts.get("routes"))),
        )

    def _reference(self, what: str, node: yaml.Node | None, known: frozenset[str]) -> str:
        name = self.text(node)
        if node is not None and name and name not in known:
            self.refuse(node, f"undefined {what} {name!r}")
        return name

    def _interval_names(self, node: yaml.Node | None) -> tuple[str, ...]:
        return tuple(self._reference("time interval", item, self._intervals) for item in self.items(node))

    def _timer(self, name: str, node: yaml.Node | None) -> int | None:
        if node is None:
            return None
        try:
            value = parse_duration_ms(self.text(node))
        except InvalidDuration as error:
            self.refuse(node, str(error))
            return None
        if not value and name != "group_wait":
            self.refuse(node, f"{name} cannot be zero")
        return value

    def _group_by(self, node: yaml.Node | None) -> tuple[str, ...] | None:
        if node is None:
            return None
        names = tuple(self.text(item) for item in self.items(node))
        if BY_ALL_LABELS in names and len(names) > 1:
            self.refuse(node, f"group_by has {BY_ALL_LABELS!r} beside other labels")
        if len(set(names)) < len(names):
            self.refuse(node, "group_by names a label twice")
        return names
