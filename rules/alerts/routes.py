"""The routing tree: which receivers an alert goes to, grouped and timed how.

In: nested `RouteSpec` values that leave out what they inherit, and label sets. Out: a resolved tree of
`Route` and, per label set, the routes it ends at with the reason. Inheritance, defaults and the walk
(depth first, the first matching child wins unless it continues) are Alertmanager's. Refused: a root with
matchers or without a receiver, a tree too deep or too large, timers out of bounds.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from rules.alerts.errors import InvalidRoute
from rules.alerts.matchers import Matchers, equalities, format_matchers, matches_all

GROUP_WAIT_MS = 30_000
GROUP_INTERVAL_MS = 5 * 60_000
REPEAT_INTERVAL_MS = 4 * 3_600_000
BY_ALL_LABELS = "..."
MAX_DEPTH = 20
MAX_ROUTES = 5_000


class RouteReason(enum.StrEnum):
    """Why an alert ends at a route."""

    MATCHED = "matched"
    NO_CHILD_MATCHED = "no_child_matched"
    DEFAULT_ROUTE = "default_route"


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A route as its author wrote it; None means: as the parent has it."""

    id: str
    receivers: tuple[str, ...] | None = None
    matchers: Matchers = ()
    group_by: tuple[str, ...] | None = None
    """`("...",)` groups by all labels."""
    group_wait_ms: int | None = None
    group_interval_ms: int | None = None
    repeat_interval_ms: int | None = None
    continues: bool = False
    mute_names: tuple[str, ...] = ()
    active_names: tuple[str, ...] = ()
    escalation: str | None = None
    """The empty string ends what the parent has."""
    children: tuple[RouteSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A resolved route. `group_by` of None groups by all labels; `path` is unique in the tree."""

    id: str
    path: str
    receivers: tuple[str, ...]
    matchers: Matchers = ()
    group_by: tuple[str, ...] | None = ()
    group_wait_ms: int = GROUP_WAIT_MS
    group_interval_ms: int = GROUP_INTERVAL_MS
    repeat_interval_ms: int = REPEAT_INTERVAL_MS
    continues: bool = False
    mute_names: tuple[str, ...] = ()
    active_names: tuple[str, ...] = ()
    escalation: str | None = None
    children: tuple[Route, ...] = ()

    _guarded: tuple[tuple[Route, str, str], ...] = field(init=False, repr=False, compare=False)
    """Each child with an equality it demands, so that most are passed over by one look."""

    def __post_init__(self) -> None:
        guards = ((child, (equalities(child.matchers) or [("", "")])[0]) for child in self.children)
        object.__setattr__(self, "_guarded", tuple((child, *guard) for child, guard in guards))

    def taking(self, labels: Mapping[str, str]) -> Iterator[Route]:
        """The children that take the label set: up to the first that does not continue."""
        for child, name, value in self._guarded:
            if labels.get(name, "") != value or not matches_all(child.matchers, labels):
                continue
            yield child
            if not child.continues:
                return


class RouteMatch(NamedTuple):
    """A route at which an alert ends."""

    route: Route
    reason: RouteReason


def match(root: Route, labels: Mapping[str, str]) -> list[RouteMatch]:
    """The routes at which the label set ends, in the order of the tree; never none, the root takes all."""
    found: list[RouteMatch] = []
    if not _descend(root, labels, found):
        found.append(RouteMatch(root, RouteReason.DEFAULT_ROUTE))
    return found


def _descend(parent: Route, labels: Mapping[str, str], found: list[RouteMatch]) -> bool:
    """Collect what the children take; whether there was any."""
    before = len(found)
    for child in parent.taking(labels):
        if not child.children:
            found.append(RouteMatch(child, RouteReason.MATCHED))
        elif not _descend(child, labels, found):
            found.append(RouteMatch(child, RouteReason.NO_CHILD_MATCHED))
    return len(found) > before


def walk(root: Route) -> Iterator[Route]:
    """The root and every route under it, depth first."""
    yield root
    for child in root.children:
        yield from walk(child)


def build_tree(spec: RouteSpec) -> Route:
    """Resolve inheritance from the root down.

    Raises
    ------
    InvalidRoute
        If the root has matchers, continues, or names no receiver; if a timer is out of bounds, an id stands
        twice, or the tree exceeds `MAX_DEPTH` or `MAX_ROUTES`.
    """
    _check_root(spec)
    _check_size(spec)
    return _resolve(spec, parent=None, path="{}", depth=1)


def _check_root(spec: RouteSpec) -> None:
    if spec.matchers:
        raise InvalidRoute(f"the root route must match everything, it has {format_matchers(spec.matchers)}")
    if spec.continues:
        raise InvalidRoute("the root route cannot continue: nothing follows it")
    if not spec.receivers:
        raise InvalidRoute("the root route names no receiver")
    if spec.mute_names or spec.active_names:
        raise InvalidRoute("the root route cannot have time intervals")


def _check_size(spec: RouteSpec) -> None:
    ids: Counter[str] = Counter()
    level, depth = [spec], 0
    while level:
        depth += 1
        ids.update(route.id for route in level)
        if depth > MAX_DEPTH:
            raise InvalidRoute(f"the tree is deeper than {MAX_DEPTH} routes")
        if ids.total() > MAX_ROUTES:
            raise InvalidRoute(f"the tree has more than {MAX_ROUTES} routes")
        level = [child for route in level for child in route.children]
    twice = next((name for name, count in ids.items() if count > 1), None)
    if twice is not None:
        raise InvalidRoute(f"route id {twice!r} stands twice")


def _resolve(spec: RouteSpec, *, parent: Route | None, path: str, depth: int) -> Route:
    above = parent or Route(id="", path="", receivers=())
    route = Route(
        id=spec.id,
        path=path,
        receivers=spec.receivers or above.receivers,
        matchers=spec.matchers,
        group_by=above.group_by if spec.group_by is None else _grouping(spec),
        group_wait_ms=_timer(spec, "group_wait", spec.group_wait_ms, above.group_wait_ms),
        group_interval_ms=_timer(spec, "group_interval", spec.group_interval_ms, above.group_interval_ms),
        repeat_interval_ms=_timer(spec, "repeat_interval", spec.repeat_interval_ms, above.repeat_interval_ms),
        continues=spec.continues,
        mute_names=spec.mute_names,
        active_names=spec.active_names,
        escalation=above.escalation if spec.escalation is None else spec.escalation or None,
    )
    seen: Counter[str] = Counter()
    children = []
    for child in spec.children:
        step = format_matchers(sorted(child.matchers, key=lambda matcher: matcher.text))
        seen[step] += 1
        unique = step if seen[step] == 1 else f"{step}#{seen[step]}"
        children.append(_resolve(child, parent=route, path=f"{path}/{unique}", depth=depth + 1))
    return replace(route, children=tuple(children))


def _grouping(spec: RouteSpec) -> tuple[str, ...] | None:
    names = spec.group_by or ()
    if BY_ALL_LABELS in names:
        if len(names) > 1:
            raise InvalidRoute(f"route {spec.id!r}: group_by has {BY_ALL_LABELS!r} beside other labels")
        return None
    if len(set(names)) < len(names):
        raise InvalidRoute(f"route {spec.id!r}: group_by names a label twice")
    return names


def _timer(spec: RouteSpec, name: str, own: int | None, inherited: int) -> int:
    if own is None:
        return inherited
    lowest = 0 if name == "group_wait" else 1
    if own < lowest:
        raise InvalidRoute(f"route {spec.id!r}: {name} is {own} ms, lowest is {lowest}")
    return own
