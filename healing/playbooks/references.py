"""What steps may read: labels, annotations and the value of the trigger, results of earlier steps, the item.

In: text such as `labels.service` or `results.look.held`. Out: a reference, and what it stands for in a scope.
Refused: every other path. A reference reads; nothing can be called, indexed or computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from healing.playbooks.errors import InvalidText

Scalar: TypeAlias = str | int | float | bool | None
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE: Final = re.compile(
    rf"(?P<root>labels|annotations)(?:\.(?P<name>{_NAME})|\[\"(?P<quoted>[^\"\\\]\r\n]{{1,200}})\"\])"
    rf"|results\.(?P<step>{_NAME})\.(?P<field>{_NAME})"
    r"|(?P<alone>value|item)"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a value stands: `root` is labels, annotations, results, value or item."""

    root: str
    name: str = ""
    """Of the label or annotation, or the id of the step."""
    field: str = ""
    """Of the step's result."""

    def __str__(self) -> str:
        return ".".join(part for part in (self.root, self.name, self.field) if part)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run has seen so far."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    value: float | None = None
    results: Mapping[str, Mapping[str, Scalar]] = field(default_factory=dict)
    """By id of the step."""
    item: str | None = None

    def read(self, reference: Reference) -> Scalar:
        """What the reference stands for; None if it is not there."""
        if reference.root == "value":
            return self.value
        if reference.root == "item":
            return self.item
        if reference.root == "results":
            return self.results.get(reference.name, {}).get(reference.field)
        texts = self.labels if reference.root == "labels" else self.annotations
        return texts.get(reference.name)


def parse_reference(text: str) -> Reference:
    """The reference that a text is.

    Raises
    ------
    InvalidText
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise InvalidText(
            f"{text!r} cannot be read: labels.NAME, annotations.NAME, value, item and results.STEP.FIELD can"
        )
    if match["alone"]:
        return Reference(match["alone"])
    if match["step"]:
        return Reference("results", match["step"], match["field"])
    return Reference(match["root"], match["name"] or match["quoted"])
