"""Paths into JSON documents: `$.alerts[*].labels.host`, a small part of JSONPath.

`$` is the document and `@` the alert at hand; then `.name`, `['any name']`, `[0]`, `[-1]` and `[*]`. In: a
path's text, and a value. Out: what lies there, found in one pass. Refused: everything else, with the
position; filters, slices and recursion are left out, since a stranger's document decides what they cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from alertsite.core.errors import PlatformError

MAX_CHARACTERS: Final = 500
MAX_STEPS: Final = 20
EACH: Final = None
"""The step `[*]`."""
_STEP: Final = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\['(?P<quoted>[^'\x00]+)'\]|\[(?P<index>-?\d{1,6})\]|(?P<each>\[\*\])"
)


class InvalidPath(PlatformError):
    """A path does not read."""

    code = "path.invalid"


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was read: where it begins, and its steps: a name, an index, or `EACH`."""

    text: str
    from_document: bool
    steps: tuple[str | int | None, ...]

    def find(self, document: Any, item: Any) -> list[Any]:
        """Every value that lies there; none where a step finds nothing."""
        found = [document if self.from_document else item]
        for step in self.steps:
            found = [value for one in found for value in _below(one, step)]
        return found

    @property
    def branches(self) -> bool:
        """Whether it may find several."""
        return EACH in self.steps

    def is_there(self, document: Any, item: Any) -> bool:
        """Whether it leads somewhere: to a value, or to a list or object that is perhaps empty."""
        if not self.branches:
            return bool(self.find(document, item))
        trunk = replace(self, steps=self.steps[: self.steps.index(EACH)])
        return any(isinstance(value, list | dict) for value in trunk.find(document, item))


def is_path(text: str) -> bool:
    """Whether a text of a mapping is a path, not a constant."""
    return text.startswith(("$", "@"))


@lru_cache(maxsize=10_000)
def parse_path(text: str) -> Path:
    """Read a path.

    Raises
    ------
    InvalidPath
        With the position.
    """
    if not is_path(text) or len(text) > MAX_CHARACTERS:
        raise InvalidPath(
            f"{text[:100]!r} is no path: it begins with $ or @ and has at most {MAX_CHARACTERS} characters"
        )
    steps: list[str | int | None] = []
    position = 1
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise InvalidPath(
                f"{text!r} at {position}: expected .name, ['name'], [0] or [*], found {text[position]!r}"
            )
        steps.append(_step(step))
        position = step.end()
    if len(steps) > MAX_STEPS:
        raise InvalidPath(f"{text!r} has {len(steps)} steps, accepts at most {MAX_STEPS}")
    return Path(text, text[0] == "$", tuple(steps))


def _step(match: re.Match[str]) -> str | int | None:
    if match["each"]:
        return EACH
    return int(match["index"]) if match["index"] else match["name"] or match["quoted"]


def _below(value: Any, step: str | int | None) -> Iterator[Any]:
    if isinstance(value, dict):
        if step is EACH:
            yield from value.values()
        elif step in value:
            yield value[step]
    elif isinstance(value, list):
        if step is EACH:
            yield from value
        elif isinstance(step, int) and -len(value) <= step < len(value):
            yield value[step]
