"""What a receiver is given, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from alertsite.core.errors import PlatformError


@dataclass(frozen=True, slots=True)
class Notification:
    """One change of state, told to one receiver."""

    idempotency_key: str
    tenant: str
    state: str
    """`firing` or `resolved`."""
    alert_id: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    value: float | None
    at: str
    """The tick at which the state changed, RFC 3339."""
    late_by_s: float
    """How long after that tick the change was found: more than seconds when ticks were caught up."""
    url: str
    """Where a person sees the alert."""

    @property
    def title(self) -> str:
        """`[FIRING] HostDown` and the like, for subjects and log lines."""
        return f"[{self.state.upper()}] {self.labels.get('alertname', 'alert')}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the other side took the message, in its own words: a status, an id. At most 500
    characters.
    """

    text: str


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
        """A channel with validated configuration."""
