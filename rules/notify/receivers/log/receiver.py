"""A line in the worker's log: useful for a first try and beside other receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import structlog

from rules.notify.notification import Channel, Notification, Receipt
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
        structlog.get_logger("notification").info(
            notification.title,
            idempotency_key=notification.idempotency_key,
            tenant=notification.tenant,
            group_labels=dict(notification.group_labels),
            reason=notification.reason,
            alerts=[dict(alert.labels) for alert in notification.alerts],
        )
        return Receipt("logged")
