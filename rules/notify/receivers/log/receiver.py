"""A line in the worker's log: useful for a first try and beside other receivers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog

from rules.notify.notification import Channel, Notification, Preview, Receipt
from rules.notify.receivers.log.config import LogConfig, LogSecrets


@dataclass(frozen=True, slots=True)
class LogKind:
    """`log`: writes the notification as one structured line."""

    name: ClassVar[str] = "log"
    config: ClassVar = LogConfig
    secrets: ClassVar = LogSecrets

    def open(self, config: LogConfig, secrets: LogSecrets) -> Channel:  # noqa: ARG002 (there are none)
        """The one channel."""
        return LogChannel()


@dataclass(frozen=True, slots=True)
class LogChannel:
    """Writes to the log of the process."""

    def send(self, notification: Notification) -> Receipt:
        """Write one line."""
        structlog.get_logger("notification").info(notification.title, **_fields(notification))
        return Receipt("logged")

    def preview(self, notification: Notification) -> Preview:
        """The line's fields."""
        line = {"event": notification.title, **_fields(notification)}
        return Preview("the worker's log", "application/json", json.dumps(line, indent=2, ensure_ascii=False))


def _fields(notification: Notification) -> dict[str, Any]:
    return {
        "idempotency_key": notification.idempotency_key,
        "tenant": notification.tenant,
        "group_labels": dict(notification.group_labels),
        "reason": notification.reason,
        "alerts": [dict(alert.labels) for alert in notification.alerts],
    }
