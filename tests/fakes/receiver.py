"""A kind of receiver that does what it is told and keeps what it was sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from rules.notify.notification import Channel, Notification, Preview, Receipt
from rules.notify.receivers.log.config import LogConfig, LogSecrets

Outcome = BaseException | Callable[[], None]


@dataclass(slots=True)
class FakeKind:
    """`outcomes` are raised, or called, one a message; after the last, every message is taken."""

    outcomes: list[Outcome] = field(default_factory=list)
    sent: list[Notification] = field(default_factory=list)

    name: ClassVar[str] = "fake"
    config: ClassVar = LogConfig
    secrets: ClassVar = LogSecrets

    def open(self, config: LogConfig, secrets: LogSecrets) -> Channel:
        return self

    def preview(self, notification: Notification) -> Preview:
        return Preview("nobody", "text/plain", notification.title)

    def send(self, notification: Notification) -> Receipt:
        self.sent.append(notification)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            outcome()
        return Receipt(f"taken {len(self.sent)}")
