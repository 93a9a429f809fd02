"""What a receiver is given, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from alertsite.core.errors import PlatformError

FIRING = "firing"
RESOLVED = "resolved"
TEST = "test"
"""Reason of a message that somebody sends to see whether it arrives."""
ACKNOWLEDGED = "acknowledged"
"""Reason of a message that says that somebody is on it. Only kinds that take it are sent any."""


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """One alert as a notification tells of it. Moments are RFC 3339."""

    alert_id: str
    state: str
    """`firing` or `resolved`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float | None
    starts_at: str
    """When it began to fire."""
    at: str
    """The tick at which the state changed."""
    late_by_s: float
    """How long after that tick the change was found: more than seconds when ticks were caught up."""
    url: str
    """Where a person sees the alert."""
    fingerprint: str
    """Of the labels, 16 hexadecimal digits."""

    @property
    def ends_at(self) -> str | None:
        """When it ended; None while it fires."""
        return self.at if self.state == RESOLVED else None


@dataclass(frozen=True, slots=True)
class Notification:
    """A group of alerts, told to one receiver."""

    idempotency_key: str
    """The same on every attempt."""
    trace_id: str
    """Of the message, in traces and logs."""
    tenant: str
    receiver: str
    """Name of the receiver."""
    group_key: str
    generation: int
    """Counts the notifications of the group."""
    reason: str
    """Why it is sent: `new_alerts`, `resolved`, `repeat`, `escalation`, `test`, …"""
    group_labels: Mapping[str, str]
    alerts: tuple[AlertNotice, ...]
    """At least one, the firing first."""
    url: str
    """Where a person sees the group."""
    truncated: int = 0
    """Alerts of the group that are not listed."""
    actions: Mapping[str, str] = field(default_factory=dict)
    """Signed links by what they do: `acknowledge`, `snooze`, …"""

    @property
    def state(self) -> str:
        """`firing` while any of its alerts does."""
        return FIRING if any(alert.state == FIRING for alert in self.alerts) else RESOLVED

    @property
    def common_labels(self) -> dict[str, str]:
        """What the labels of all alerts share."""
        return shared([alert.labels for alert in self.alerts])

    @property
    def common_annotations(self) -> dict[str, str]:
        """What the annotations of all alerts share."""
        return shared([alert.annotations for alert in self.alerts])

    @property
    def title(self) -> str:
        """`[FIRING:2] HostDown` and the like, for subjects and log lines. A test says that it is one."""
        firing = sum(alert.state == FIRING for alert in self.alerts)
        count = f":{firing}" if firing > 1 else ""
        name = self.common_labels.get("alertname") or " ".join(self.group_labels.values()) or "alerts"
        test = "[TEST] " if self.reason == TEST else ""
        return f"{test}[{self.state.upper()}{count}] {name}"


def shared(maps: list[Mapping[str, str]]) -> dict[str, str]:
    """The pairs that stand in every mapping, in the order of the first."""
    if not maps:
        return {}
    common = set(maps[0].items()).intersection(*(mapping.items() for mapping in maps[1:]))
    return {name: value for name, value in maps[0].items() if (name, value) in common}


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the other side took the message, in its own words: a status, an id. At most 500
    characters.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a channel would send, with nothing secret in it."""

    to: str
    """Where it goes: an address with its secrets masked, or the recipients."""
    content_type: str
    body: str
    faults: tuple[str, ...] = ()
    """Templates that could not be filled, each with its field and reason; defaults stand in their place."""


class DeliveryFailed(PlatformError):
    """The other side did not take the message, but may later."""

    code = "delivery.failed"
    retryable = True

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class DeliveryRefused(PlatformError):
    """The message will never be taken: retrying is useless."""

    code = "delivery.refused"


class InvalidReceiver(PlatformError):
    """A receiver's configuration does not fit its kind. `errors` has one line a field."""

    code = "receiver.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))
        self.errors = errors


class Channel(Protocol):
    """A receiver made ready with its configuration."""

    def send(self, notification: Notification) -> Receipt:
        """Deliver once.

        Raises
        ------
        DeliveryFailed
            If a later attempt may succeed.
        DeliveryRefused
            If none will.
        """

    def preview(self, notification: Notification) -> Preview:
        """What `send` would send. Sends nothing."""


class ReceiverKind(Protocol):
    """One kind of receiver: a folder under `receivers/` and a line in its registry."""

    @property
    def name(self) -> str:
        """As receivers name it in `kind`."""

    @property
    def config(self) -> type[BaseModel]:
        """What it is configured with."""

    @property
    def secrets(self) -> type[BaseModel]:
        """What of it is never shown."""

    def open(self, config: Any, secrets: Any) -> Channel:
        """A channel with validated configuration.

        Raises
        ------
        InvalidReceiver
            If configuration and secrets, each valid, do not fit each other.
        """
