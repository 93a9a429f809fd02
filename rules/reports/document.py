"""A report as blocks, before it is HTML or PDF. Text in it is data: no markup, no controls, bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

LONGEST_TEXT: Final = 160


@dataclass(frozen=True, slots=True)
class Title:
    """Begins a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that matters, and what it was before."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers side by side."""

    items: Sequence[Figure]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts. The first column is left-aligned, the others hold numbers unless named in `texts`."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = (0,)
    """Columns that hold words."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as SVG, with words for who cannot see it."""

    svg: str
    alt: str


Block: TypeAlias = Title | Paragraph | Figures | Table | Picture


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    language: str
    title: str
    subtitle: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def shown(text: str, limit: int = LONGEST_TEXT) -> str:
    """Somebody's text as it may stand in a report: one line, bounded, without controls.

    Among the controls are those that turn the direction of writing: a label must not rearrange the page.
    Letters that are written from right to left stay.
    """
    # A few times the limit is enough to judge by: a megabyte of label is not walked through.
    printable = "".join(one if one.isprintable() else " " for one in text[: limit * 8])
    line = " ".join(printable.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
