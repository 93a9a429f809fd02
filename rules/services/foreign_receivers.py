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


def _sealed(**secrets: str) -> Any:
    """Secrets for the encrypted field, whose column is text."""
    return secrets


def _webhook(settings: _Settings, _: _Settings) -> Receiver:
    return Receiver(kind="webhook", config={"url": _needed(settings, "url")})


def _email(settings: _Settings, _: _Settings) -> Receiver:
    addresses = [one.strip() for one in _needed(settings, "to").split(",")]
    return Receiver(kind="email", config={"to": addresses})


def _slack(settings: _Settings, defaults: _Settings) -> Receiver:
    """An incoming webhook posts to a channel of its own: `channel` has no effect there."""
    url = settings.get("api_url") or defaults.get("slack_api_url")
    return Receiver(kind="slack", secrets=_sealed(webhook_url=_needed({"api_url": url}, "api_url")))


def _pagerduty(settings: _Settings, _: _Settings) -> Receiver:
    return Receiver(kind="pagerduty", secrets=_sealed(routing_key=_needed(settings, "routing_key")))


def _opsgenie(settings: _Settings, defaults: _Settings) -> Receiver:
    key = settings.get("api_key") or defaults.get("opsgenie_api_key")
    region = "eu" if "api.eu." in str(settings.get("api_url") or defaults.get("opsgenie_api_url")) else "us"
    return Receiver(
        kind="opsgenie",
        config={"region": region},
        secrets=_sealed(api_key=_needed({"api_key": key}, "api_key")),
    )


def _telegram(settings: _Settings, _: _Settings) -> Receiver:
    chat = settings.get("chat_id")
    if not isinstance(chat, int):
        raise NotTaken("chat_id is not given")
    return Receiver(
        kind="telegram", config={"chat_id": chat}, secrets=_sealed(token=_needed(settings, "bot_token"))
    )


def _by_url(kind: str) -> Callable[[_Settings, _Settings], Receiver]:
    """Kinds that are nothing but a secret address."""

    def read(settings: _Settings, _: _Settings) -> Receiver:
        return Receiver(kind=kind, secrets=_sealed(webhook_url=_needed(settings, "webhook_url")))

    return read


def _sns(settings: _Settings, _: _Settings) -> Receiver:
    signing = settings.get("sigv4") or {}
    config = {name: settings[name] for name in ("topic_arn", "phone_number") if settings.get(name)}
    return Receiver(
        kind="sns",
        config={"region": _needed(signing, "region"), **config},
        secrets=_sealed(
            access_key_id=_needed(signing, "access_key"),
            secret_access_key=_needed(signing, "secret_key"),
        ),
    )


_READERS: Final[Mapping[str, Callable[[_Settings, _Settings], Receiver]]] = {
    "webhook": _webhook,
    "email": _email,
    "slack": _slack,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "telegram": _telegram,
    "discord": _by_url("discord"),
    "msteams": _by_url("msteams"),
    "sns": _sns,
}


def to_alertmanager(receiver: Receiver) -> Integration | None:
    """Our receiver in Alertmanager's terms, without secrets (to be filled in by hand); None for kinds it does
    not have.
    """
    settings: dict[str, object] = {"send_resolved": receiver.send_resolved}
    if receiver.kind == "webhook":
        return Integration("webhook", settings | {"url": receiver.config["url"]})
    if receiver.kind == "email":
        return Integration("email", settings | {"to": ", ".join(receiver.config["to"])})
    return Integration(receiver.kind, settings) if receiver.kind in _READERS else None
