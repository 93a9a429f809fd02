"""Every kind of receiver, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from alertsite.core.errors import PlatformError
from rules.notify.notification import Channel, InvalidReceiver, ReceiverKind


class UnknownReceiverKind(PlatformError):
    """No receiver has this kind."""

    code = "receiver.unknown_kind"

    def __init__(self, kind: str, known: list[str]) -> None:
        super().__init__(f"receiver kind is {kind!r}, accepts {', '.join(known)}")


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that a kind is configured with, for people who fill it in."""

    name: str
    required: bool
    text: str


class ReceiverRegistry:
    """Kinds of receivers, each with what it needs from outside."""

    def __init__(self, kinds: list[ReceiverKind]) -> None:
        self._kinds: Final = {kind.name: kind for kind in kinds}

    def names(self) -> list[str]:
        """Known kinds, sorted."""
        return sorted(self._kinds)

    def acknowledging(self) -> list[str]:
        """Kinds that are told when somebody acknowledges: those that say so of themselves, sorted."""
        return sorted(name for name, kind in self._kinds.items() if getattr(kind, "acknowledges", False))

    def settings(self, kind: str) -> dict[str, list[Setting]]:
        """What a kind is configured with, below `config` and `secrets`.

        Raises
        ------
        UnknownReceiverKind
        """
        known = self._known(kind)
        return {"config": _settings(known.config), "secrets": _settings(known.secrets)}

    def _known(self, kind: str) -> ReceiverKind:
        known = self._kinds.get(kind)
        if known is None:
            raise UnknownReceiverKind(kind, self.names())
        return known

    def open(self, kind: str, config: Mapping[str, Any], secrets: Mapping[str, Any]) -> Channel:
        """A channel for this configuration.

        Raises
        ------
        UnknownReceiverKind, InvalidReceiver
            If the kind is not known or its configuration is not valid.
        """
        known = self._known(kind)
        return known.open(
            _validated(known.config, config, "config"), _validated(known.secrets, secrets, "secrets")
        )


def _settings(model: type[BaseModel]) -> list[Setting]:
    return [
        Setting(name, field.is_required(), field.description or "")
        for name, field in model.model_fields.items()
    ]


def _validated(model: type[BaseModel], values: Mapping[str, Any], part: str) -> BaseModel:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidReceiver(
            {
                ".".join([part, *map(str, item["loc"])]): item["msg"]
                for item in error.errors(include_input=False, include_url=False)
            }
        ) from None


__all__ = ["InvalidReceiver", "ReceiverRegistry", "Setting", "UnknownReceiverKind"]
