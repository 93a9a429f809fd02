"""What was sent and what came back, fit to be kept: secrets masked, long things cut.

Values and mappings of a call go in, `Exchange`s come out. Refuses nothing: what cannot be shown is named by
its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cloud.adapters.protocol import Exchange

MASK: Final = "***"
LONGEST_TEXT: Final = 2_000
MOST_ITEMS: Final = 50
DEEPEST: Final = 12
SHORTEST_SECRET: Final = 8
"""Shorter texts are not looked for: they stand in too much that is none."""

_SECRET_NAME: Final = re.compile(
    r"passw|secret|token|authori[sz]ation|credential|api_?key|private_?key|access_?key|cookie|signature|"
    r"user_?data|custom_?data|x-registry",
    re.IGNORECASE,
)


class Recorder:
    """Keeps the calls of one session until they are taken.

    Parameters
    ----------
    secrets
        Texts that must stand nowhere in what is kept, whatever the field is called.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        # `Bearer abc` is a secret as a whole, and so is `abc` alone.
        words = {word for text in secrets for word in (text, *text.split())}
        self._secrets = sorted(
            {word for word in words if len(word) >= SHORTEST_SECRET}, key=len, reverse=True
        )
        self._kept: list[Exchange] = []

    def keep(self, request: str, sent: Any, status: str, answered: Any, seconds: float) -> None:
        """Note one call."""
        exchange = Exchange(
            self._text(request), self._mapping(sent), self._text(status), self._mapping(answered), seconds
        )
        self._kept.append(exchange)

    def take(self) -> list[Exchange]:
        """The calls since the last time, oldest first."""
        taken, self._kept = self._kept, []
        return taken

    def _mapping(self, value: Any) -> Mapping[str, Any]:
        shown = self._shown(value, DEEPEST)
        if isinstance(shown, dict):
            return shown
        return {} if shown in (None, "") else {"body": shown}

    def _shown(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self._text(value)
        if depth == 0:
            return "…"
        if isinstance(value, Mapping):
            return {
                str(name): MASK if _hides(str(name), inside) else self._shown(inside, depth - 1)
                for name, inside in list(value.items())[:MOST_ITEMS]
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._shown(inside, depth - 1) for inside in list(value)[:MOST_ITEMS]]
        return self._text(f"<{type(value).__name__}>" if isinstance(value, bytes) else str(value))

    def _text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def masked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values as they may be shown: secrets masked by the names of their fields, long things cut."""
    return Recorder()._mapping(values)


def _hides(name: str, value: Any) -> bool:
    """Whether a field's name says that its value is a secret; page tokens and the like are not."""
    return bool(value) and bool(_SECRET_NAME.search(name)) and not _is_harmless(name)


def _is_harmless(name: str) -> bool:
    return re.fullmatch(r"(?i)(next_?(page_?)?|page_?|client_?|continuation_?)token", name) is not None
