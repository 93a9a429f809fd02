"""A configuration written as Alertmanager's YAML, so that reading it again gives the same."""

from __future__ import annotations

import yaml

from alertsite.core.durations import format_duration_ms
from rules.alerts.alertmanager_config import AlertmanagerConfig, ConfigInhibition, ConfigReceiver, ConfigRoute
from rules.alerts.intervals import to_plain
from rules.alerts.matchers import Matchers


def export_config(config: AlertmanagerConfig) -> str:
    """The configuration as YAML text; parts without content are left out."""
    plain = {
        "global": dict(config.defaults),
        "route": _route(config.route),
        "receivers": [_receiver(receiver) for receiver in config.receivers],
        "inhibit_rules": [_inhibition(rule) for rule in config.inhibitions],
        "time_intervals": [
            {"name": named.name, "time_intervals": [to_plain(interval) for interval in named.intervals]}
            for named in config.intervals
        ],
    }
    kept = {name: value for name, value in plain.items() if value}
    return yaml.dump(kept, Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True)


class _WithoutAliases(yaml.SafeDumper):
    """Writes a value as often as it stands: anchors would surprise the reader."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 (the signature is PyYAML's)
        """Always."""
        return True


def _route(route: ConfigRoute) -> dict[str, object]:
    plain: dict[str, object] = {
        "receiver": route.receiver,
        "matchers": _matchers(route.matchers),
        "group_by": None if route.group_by is None else list(route.group_by),
        "continue": route.continues,
        "group_wait": _duration(route.group_wait_ms),
        "group_interval": _duration(route.group_interval_ms),
        "repeat_interval": _duration(route.repeat_interval_ms),
        "mute_time_intervals": list(route.mute_names),
        "active_time_intervals": list(route.active_names),
        "routes": [_route(child) for child in route.children],
    }
    return {
        name: value for name, value in plain.items() if value or (name == "group_by" and value is not None)
    }


def _duration(value_ms: int | None) -> str | None:
    return None if value_ms is None else format_duration_ms(value_ms)


def _matchers(matchers: Matchers) -> list[str]:
    return [matcher.text for matcher in matchers]


def _receiver(receiver: ConfigReceiver) -> dict[str, object]:
    plain: dict[str, object] = {"name": receiver.name}
    for integration in receiver.integrations:
        of_kind = plain.setdefault(f"{integration.kind}_configs", [])
        assert isinstance(of_kind, list)
        of_kind.append(dict(integration.settings))
    return plain


def _inhibition(rule: ConfigInhibition) -> dict[str, object]:
    plain = {
        "source_matchers": _matchers(rule.source),
        "target_matchers": _matchers(rule.target),
        "equal": list(rule.equal),
    }
    return {name: value for name, value in plain.items() if value}
