"""Saving what decides who is told: routes, time intervals, inhibition rules, settings. Checked whole first;
every change counts up the tenant's revision, and alerts that fire are routed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import F, ProtectedError

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from alertsite.tenancy.managers import TenantModel
from rules.alerts.intervals import parse_named
from rules.models import InhibitionRule, MuteTimeInterval, NotificationSettings, Route
from rules.services.authoring import Author
from rules.services.nudging import nudge_after_commit
from rules.services.routing import build_tree, matchers_of, settings_of

R = TypeVar("R", Route, MuteTimeInterval, InhibitionRule, NotificationSettings)


class InvalidRouting(PlatformError):
    """What was to be saved does not fit. `errors` has a reason for each field."""

    code = "routing.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


def save(row: R, author: Author) -> R:
    """Store a row of the routing configuration.

    Raises
    ------
    InvalidRouting, ValidationError
        Nothing is stored then.
    """
    row.full_clean()
    check(row)
    with transaction.atomic():
        row.save()
        _changed(row, author, "saved")
    return row


def check(row: R) -> None:
    """Whether the parts of a row, and the tree with it, can be read.

    Raises
    ------
    InvalidRouting, InvalidRoute
    """
    _CHECKS[type(row)](row)


def delete(row: Route | MuteTimeInterval | InhibitionRule, author: Author) -> None:
    """Remove a row; routes below a route go with it.

    Raises
    ------
    InvalidRouting
        If a route still names the time interval.
    """
    if isinstance(row, MuteTimeInterval):
        users = [
            str(route)
            for route in Route.objects.for_tenant(row.tenant_id)
            if row.name in (*route.mute_time_intervals, *route.active_time_intervals)
        ]
        if users:
            raise InvalidRouting({"name": f"routes name {row.name!r}: {'; '.join(users[:5])}"})
    with transaction.atomic():
        _changed(row, author, "deleted")
        try:
            row.delete()
        except ProtectedError as error:
            raise InvalidRouting({"id": f"still used by {len(error.protected_objects)} rows"}) from None


def _changed(row: TenantModel, author: Author, what: str) -> None:
    kind = type(row).__name__.lower()
    record(
        row.tenant_id,
        Deed(author.name, f"{kind}.{what}", f"{kind}:{row.pk}", {"is": str(row)}),
        at=author.now,
    )
    count_change(row.tenant_id)


def count_change(tenant_id: Any) -> None:
    """Note that routing changed, so that trees are read again and alerts that fire are routed anew."""
    settings_of(tenant_id)
    NotificationSettings.objects.for_tenant(tenant_id).update(revision=F("revision") + 1)
    nudge_after_commit()


def _check_route(route: Route) -> None:
    if route.parent is not None:
        if route.parent.tenant_id != route.tenant_id:
            raise InvalidRouting({"parent": "no route of the tenant"})
        above: set[Any] = {route.pk}
        parent: Route | None = route.parent
        while parent is not None:
            if parent.pk in above:
                raise InvalidRouting({"parent": "the route would be below itself"})
            above.add(parent.pk)
            parent = parent.parent
    elif route.matchers:
        raise InvalidRouting({"matchers": "the root takes every alert and has none"})
    if route.receiver is not None and route.receiver.tenant_id != route.tenant_id:
        raise InvalidRouting({"receiver": "no receiver of the tenant"})
    _check_matchers("matchers", route.matchers)
    _check_names("group_by", route.group_by or [])
    known = set(MuteTimeInterval.objects.for_tenant(route.tenant_id).values_list("name", flat=True))
    for name in ("mute_time_intervals", "active_time_intervals"):
        _check_names(name, getattr(route, name))
        unknown = [one for one in getattr(route, name) if one not in known]
        if unknown:
            raise InvalidRouting({name: f"no time interval is named {unknown[0]!r}"})
    rows = [one for one in Route.objects.for_tenant(route.tenant_id) if one.pk != route.pk]
    build_tree([*rows, route])


def _check_matchers(name: str, texts: Any) -> None:
    _check_names(name, texts)
    try:
        matchers_of(texts)
    except PlatformError as error:
        raise InvalidRouting({name: str(error)}) from None


def _check_names(name: str, texts: Any) -> None:
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise InvalidRouting({name: f"is {str(texts)[:100]!r}, accepts a list of texts"})


def _check_interval(interval: MuteTimeInterval) -> None:
    try:
        parse_named(interval.name, interval.intervals)
    except PlatformError as error:
        raise InvalidRouting({"intervals": str(error)}) from None


def _check_inhibition(rule: InhibitionRule) -> None:
    for name in ("source_matchers", "target_matchers"):
        _check_matchers(name, getattr(rule, name))
        if not getattr(rule, name):
            raise InvalidRouting({name: "at least one matcher is needed"})
    _check_names("equal", rule.equal)


def _check_settings(settings: NotificationSettings) -> None:
    _check_names("incident_labels", settings.incident_labels)
    for edge in settings.topology:
        if not isinstance(edge, list) or len(edge) != 2 or not all("=" in str(end) for end in edge):
            raise InvalidRouting({"topology": f"edge {str(edge)[:100]!r}, accepts pairs of label=value"})


_CHECKS: Final[Mapping[type, Callable[[Any], None]]] = {
    Route: _check_route,
    MuteTimeInterval: _check_interval,
    InhibitionRule: _check_inhibition,
    NotificationSettings: _check_settings,
}
