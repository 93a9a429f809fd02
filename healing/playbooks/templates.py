"""Texts with places for values: `restart {{ labels.service }}`.

In: the text of a playbook, read once. Out: the text with values in it. What a value holds is never read as a
template again, so that no label can name another account, add a field or reach into other values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from healing.playbooks.errors import InvalidText, MissingValue
from healing.playbooks.references import Reference, Scalar, Scope, parse_reference

MAX_TEXT: Final = 65_536
_PLACE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_MARKS: Final = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Template:
    """Texts and references in turn."""

    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything it reads."""
        return tuple(part for part in self.parts if isinstance(part, Reference))


def parse_template(text: str) -> Template:
    """The template that a text is.

    Raises
    ------
    InvalidText
        If it is too long, a place is not closed, or holds anything but one reference.
    """
    if len(text) > MAX_TEXT:
        raise InvalidText(f"text has {len(text)} characters, limit is {MAX_TEXT}")
    parts: list[str | Reference] = []
    end = 0
    for match in _PLACE.finditer(text):
        parts += [_plain(text[end : match.start()]), parse_reference(match.group(1).strip())]
        end = match.end()
    parts.append(_plain(text[end:]))
    return Template(tuple(part for part in parts if part != ""))


def _plain(text: str) -> str:
    for mark in _MARKS:
        if mark in text:
            raise InvalidText(f"{mark!r} is no template: only {{{{ labels.NAME }}}} is one")
    return text


def render(template: Template, scope: Scope) -> str:
    """The text with values.

    Raises
    ------
    MissingValue
        If something that it reads is not there: an action on nothing in particular is none.
    """
    return "".join(part if isinstance(part, str) else _shown(part, scope) for part in template.parts)


def _shown(reference: Reference, scope: Scope) -> str:
    value = scope.read(reference)
    if value is None:
        raise MissingValue(str(reference))
    return _text(value)


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def texts_within(value: Any) -> Iterator[str]:
    """Every text of a JSON value, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_within(inner)


def fill(value: Any, scope: Scope) -> Any:
    """A JSON value with every text in it rendered; its structure stays as written.

    Raises
    ------
    MissingValue
    """
    if isinstance(value, str):
        return render(parse_template(value), scope)
    if isinstance(value, Mapping):
        return {name: fill(inner, scope) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, scope) for inner in value]
    return value
