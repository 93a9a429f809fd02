"""Every provider, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from alertsite.core.errors import InvalidParameter, PlatformError
from cloud.adapters.protocol import Action, Adapter, Session


class UnknownProvider(PlatformError):
    """No adapter has this name, or what it needs is not installed."""

    code = "cloud.unknown_provider"

    def __init__(self, name: str, known: Sequence[str], lacks: str = "") -> None:
        missing = f" and needs the extra [{lacks}], which is not installed;" if lacks else ","
        super().__init__(f"provider is {name!r}{missing} accepts {', '.join(known)}")


class UnknownAction(PlatformError):
    """The provider does not do this."""

    code = "cloud.unknown_action"

    def __init__(self, provider: str, action: str, known: Sequence[str]) -> None:
        super().__init__(f"action of {provider} is {action!r}, accepts {', '.join(known)}")


class AdapterRegistry:
    """Providers, each with its actions.

    `lacking` names the providers that are known and cannot be used, each with the extra to install.
    """

    def __init__(self, adapters: Sequence[Adapter], lacking: Mapping[str, str] | None = None) -> None:
        self._adapters: Final[Mapping[str, Adapter]] = {adapter.name: adapter for adapter in adapters}
        self.lacking: Final[Mapping[str, str]] = lacking or {}

    def names(self) -> list[str]:
        """Known providers, sorted."""
        return sorted(self._adapters)

    def adapter(self, provider: str) -> Adapter:
        """The adapter of a provider.

        Raises
        ------
        UnknownProvider
        """
        known = self._adapters.get(provider)
        if known is None:
            raise UnknownProvider(provider, self.names(), self.lacking.get(provider, ""))
        return known

    def action(self, provider: str, word: str) -> Action:
        """What a provider does for a word.

        Raises
        ------
        UnknownProvider, UnknownAction
        """
        actions = self.adapter(provider).actions
        if word not in actions:
            raise UnknownAction(provider, word, sorted(actions))
        return actions[word]

    def open(self, provider: str, settings: Mapping[str, Any], credentials: Mapping[str, Any]) -> Session:
        """A session of an account.

        Raises
        ------
        UnknownProvider, InvalidParameter
        """
        adapter = self.adapter(provider)
        try:
            shown = adapter.settings.model_validate(dict(settings))
        except ValidationError as error:
            raise InvalidParameter(
                "settings", _places(error), f"what {provider} is configured with"
            ) from None
        try:
            hidden = adapter.credentials.model_validate(dict(credentials))
        except ValidationError as error:
            raise InvalidParameter("credentials", _places(error), f"what {provider} signs in with") from None
        return adapter.open(shown, hidden)


def _places(error: ValidationError) -> str:
    """Where it was wrong and how, without the values: they may be secrets."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
