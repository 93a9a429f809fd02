"""Receivers of Alertmanager's file as ours, and ours as Alertmanager's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from alertsite.core.errors import PlatformError
from rules.alerts.alertmanager_config import Integration
from rules.models import Receiver

_Settings = Mapping[str, Any]


class NotTaken(PlatformError):
    """An integration that has no counterpart here."""

    code = "receiver.not_taken"


def from_alertmanager(found: Integration, defaults: _Settings) -> Receiver:
    """A receiver for an integration; its tenant and name are the caller's.

    Raises
    ------
    NotTaken
        If its kind or a setting it cannot do without has no counterpart.
    """
    read = _READERS.get(found.kind)
    if read is None:
        raise NotTaken(f"kind {found.kind} is not known, accepts {', '.join(sorted(_READERS))}")
    receiver = read(found.settings, defaults)
    wants = found.settings.get("send_resolved", found.kind not in _QUIET_ABOUT_ENDS)
    receiver.send_resolved = bool(wants)
    return receiver


_QUIET_ABOUT_ENDS: Final = frozenset({"email", "slack"})
"""Kinds that do not tell of ends by default, as in Alertmanager."""


def _needed(settings: _Settings, name: str) -> str:
    value = settings.get(name)
    if not isinstance(value, str) or not value or value == "<secret>":
        raise NotTaken(f"{name} is not given")
    return value


def _webhook(settings: _Settings, _: _Settings) -> Receiver:
    return Receiver(kind="webhook", config={"url": _needed(settings, "url")})


def _email(settings: _Settings, _: _Settings) -> Receiver:
    addresses = [one.strip() for one in _needed(settings, "to").split(",")]
    return Receiver(kind="email", config={"to": addresses})


_READERS: Final[Mapping[str, Callable[[_Settings, _Settings], Receiver]]] = {
    "webhook": _webhook,
    "email": _email,
}


def to_alertmanager(receiver: Receiver) -> Integration | None:
    """Our receiver in Alertmanager's terms, without secrets; None for kinds it does not have."""
    settings: dict[str, object] = {"send_resolved": receiver.send_resolved}
    if receiver.kind == "webhook":
        return Integration("webhook", settings | {"url": receiver.config["url"]})
    if receiver.kind == "email":
        return Integration("email", settings | {"to": ", ".join(receiver.config["to"])})
    return None
