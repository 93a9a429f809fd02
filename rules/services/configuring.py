"""A tenant's routing as Alertmanager's configuration file, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import transaction

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import PlatformError
from rules.alerts.alertmanager_config import (
    AlertmanagerConfig,
    ConfigInhibition,
    ConfigReceiver,
    ConfigRoute,
    Integration,
    parse_config,
)
from rules.alerts.alertmanager_export import export_config
from rules.alerts.intervals import parse_named, to_plain
from rules.models import InhibitionRule, MuteTimeInterval, Receiver, Route
from rules.services import receivers, routes
from rules.services.authoring import Author
from rules.services.foreign_receivers import from_alertmanager, to_alertmanager
from rules.services.routing import matchers_of, settings_of

MAX_CHARACTERS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """What an import did."""

    routes: int
    receivers: list[str]
    """Names of receivers that were made; those that were there stay as they are."""
    not_taken: list[str]
    """What has no counterpart here, in words."""


def import_alertmanager(tenant_id: UUID, text: str, author: Author) -> ConfigReport:
    """Replace the tenant's routes, time intervals and inhibition rules by those of a file.

    Receivers are known by name: one that exists stays as it is, one that does not is made. A receiver with
    several ways to reach people becomes several, of which the others go along with the first.

    Raises
    ------
    InvalidDocument
        With line, column and reason of every fault; nothing is applied then.
    """
    config = parse_config(text)
    not_taken = list(config.not_taken)
    with transaction.atomic():
        settings = settings_of(tenant_id)
        InhibitionRule.objects.for_tenant(tenant_id).delete()
        Route.objects.for_tenant(tenant_id).delete()
        MuteTimeInterval.objects.for_tenant(tenant_id).delete()
        timeout = config.defaults.get("resolve_timeout")
        if timeout is not None:
            settings.resolve_timeout_s = max(1, parse_duration_ms(str(timeout)) // 1000)
            routes.save(settings, author)
        made = [
            name for one in config.receivers for name in _receiver(tenant_id, one, config, author, not_taken)
        ]
        for named in config.intervals:
            parts = [to_plain(part) for part in named.intervals]
            routes.save(MuteTimeInterval(tenant_id=tenant_id, name=named.name, intervals=parts), author)
        names = Receiver.objects.for_tenant(tenant_id).filter(along_with=None)
        count = _routes(tenant_id, config.route, {row.name: row for row in names}, author)
        for rule in config.inhibitions:
            routes.save(_inhibition(tenant_id, rule), author)
    return ConfigReport(count, made, not_taken)


def _receiver(
    tenant_id: UUID, found: ConfigReceiver, config: AlertmanagerConfig, author: Author, not_taken: list[str]
) -> list[str]:
    """Make a receiver that does not exist yet. Names of what was made."""
    first = Receiver.objects.for_tenant(tenant_id).filter(name=found.name).first()
    if first is not None:
        return []
    made = []
    for number, integration in enumerate(found.integrations):
        name = found.name if first is None else f"{found.name} ({integration.kind} {number + 1})"
        try:
            row = from_alertmanager(integration, config.defaults)
            row.tenant_id, row.name, row.along_with = tenant_id, name, first
            receivers.save_receiver(row, author)
        except PlatformError as error:
            not_taken.append(f"receiver {found.name}, {integration.kind}: {error}")
            continue
        first = first or row
        made.append(name)
    if first is None:
        receivers.save_receiver(
            Receiver(tenant_id=tenant_id, name=found.name, kind="log", enabled=False), author
        )
        made.append(found.name)
    return made


def _routes(tenant_id: UUID, root: ConfigRoute, known: Mapping[str, Receiver], author: Author) -> int:
    """Store the tree from the root down. How many routes."""
    level: list[tuple[ConfigRoute, Route | None, int]] = [(root, None, 0)]
    count = 0
    for found, parent, position in level:
        row = Route(
            tenant_id=tenant_id,
            parent=parent,
            position=position,
            matchers=[matcher.text for matcher in found.matchers],
            receiver=known[found.receiver] if found.receiver else None,
            group_by=None if found.group_by is None else list(found.group_by),
            group_wait_s=_seconds(found.group_wait_ms),
            group_interval_s=_seconds(found.group_interval_ms),
            repeat_interval_s=_seconds(found.repeat_interval_ms),
            continues=found.continues,
            mute_time_intervals=list(found.mute_names),
            active_time_intervals=list(found.active_names),
        )
        routes.save(row, author)
        count += 1
        level += [(child, row, place) for place, child in enumerate(found.children)]
    return count


def _seconds(value_ms: int | None) -> int | None:
    return None if value_ms is None else -(-value_ms // 1000)


def _inhibition(tenant_id: UUID, rule: ConfigInhibition) -> InhibitionRule:
    return InhibitionRule(
        tenant_id=tenant_id,
        source_matchers=[matcher.text for matcher in rule.source],
        target_matchers=[matcher.text for matcher in rule.target],
        equal=list(rule.equal),
    )


def export_alertmanager(tenant_id: UUID) -> str:
    """The tenant's routing as Alertmanager's YAML, without secrets; empty without a tree."""
    config = config_of(tenant_id)
    return "" if config is None else export_config(config)


def config_of(tenant_id: UUID) -> AlertmanagerConfig | None:
    """The tenant's routing in the terms of Alertmanager; None without a tree."""
    rows = list(Route.objects.for_tenant(tenant_id).select_related("receiver").order_by("position", "pk"))
    root = next((row for row in rows if row.parent_id is None), None)
    if root is None:
        return None
    named = MuteTimeInterval.objects.for_tenant(tenant_id)
    return AlertmanagerConfig(
        route=_config_route(root, rows),
        receivers=tuple(_config_receivers(Receiver.objects.for_tenant(tenant_id))),
        inhibitions=tuple(
            ConfigInhibition(
                matchers_of(rule.source_matchers), matchers_of(rule.target_matchers), tuple(rule.equal)
            )
            for rule in InhibitionRule.objects.for_tenant(tenant_id).filter(enabled=True)
        ),
        intervals=tuple(parse_named(row.name, row.intervals) for row in named),
        defaults={"resolve_timeout": f"{settings_of(tenant_id).resolve_timeout_s}s"},
    )


def _config_route(row: Route, rows: Sequence[Route]) -> ConfigRoute:
    return ConfigRoute(
        receiver="" if row.receiver is None else row.receiver.name,
        matchers=matchers_of(row.matchers),
        group_by=None if row.group_by is None else tuple(row.group_by),
        group_wait_ms=_ms(row.group_wait_s),
        group_interval_ms=_ms(row.group_interval_s),
        repeat_interval_ms=_ms(row.repeat_interval_s),
        continues=row.continues,
        mute_names=tuple(row.mute_time_intervals),
        active_names=tuple(row.active_time_intervals),
        children=tuple(_config_route(one, rows) for one in rows if one.parent_id == row.pk),
    )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


def _config_receivers(rows: Iterable[Receiver]) -> Iterable[ConfigReceiver]:
    """Each receiver with those that go along with it."""
    known = list(rows)
    for row in known:
        if row.along_with_id is None:
            ways = [row, *(one for one in known if one.along_with_id == row.pk)]
            found: list[Integration] = [one for one in map(to_alertmanager, ways) if one is not None]
            yield ConfigReceiver(row.name, tuple(found))
