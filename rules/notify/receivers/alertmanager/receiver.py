"""Alerts for another Alertmanager, by its API v2. It groups, routes and silences them by its own rules."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from rules.notify.notification import AlertNotice, Channel, InvalidReceiver, Notification
from rules.notify.posting import Poster
from rules.notify.receivers.alertmanager.config import AlertmanagerConfig, AlertmanagerSecrets
from rules.notify.requesting import HttpChannel, Outgoing, to_json


@dataclass(frozen=True, slots=True)
class AlertmanagerKind:
    """`alertmanager`: the alerts themselves, firing and resolved."""

    poster: Poster
    now: Callable[[], datetime]

    name: ClassVar[str] = "alertmanager"
    config: ClassVar = AlertmanagerConfig
    secrets: ClassVar = AlertmanagerSecrets

    def open(self, config: AlertmanagerConfig, secrets: AlertmanagerSecrets) -> Channel:
        """A channel to one Alertmanager."""
        if (secrets.username is None) != (secrets.password is None):
            raise InvalidReceiver({"secrets": "needs `username` and `password`, or neither"})
        if secrets.username is not None and secrets.bearer_token is not None:
            raise InvalidReceiver({"secrets": "needs a password or a token, not both"})
        return HttpChannel(self.poster, secrets, partial(outgoing, config, self.now))


def outgoing(
    config: AlertmanagerConfig,
    now: Callable[[], datetime],
    notification: Notification,
    secrets: AlertmanagerSecrets,
) -> Outgoing:
    """The request of a notification: what still fires is said to end later, unless it is told again."""
    until = (now() + timedelta(seconds=config.firing_for_s)).isoformat()
    alerts = [_alert(alert, until) for alert in notification.alerts]
    url = f"{str(config.url).rstrip('/')}/api/v2/alerts"
    return Outgoing(url, to_json(alerts), headers=_proof(secrets))


def _alert(alert: AlertNotice, until: str) -> dict[str, Any]:
    return {
        "labels": _present(alert.labels) or {"alertname": "unnamed"},  # it takes no alert without labels
        "annotations": _present(alert.annotations),
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at or until,
        "generatorURL": alert.url,
    }


def _present(texts: Mapping[str, str]) -> dict[str, str]:
    """An empty value means that there is none; Alertmanager refuses it."""
    return {name: value for name, value in texts.items() if value}


def _proof(secrets: AlertmanagerSecrets) -> dict[str, str]:
    if secrets.bearer_token is not None:
        return {"Authorization": f"Bearer {secrets.bearer_token}"}
    if secrets.username is None:
        return {}
    pair = b64encode(f"{secrets.username}:{secrets.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
