"""A document as PDF, by Typst with the fonts it carries: no network, no files but its own template.

Texts travel as JSON beside the template and are never part of it, so they cannot be markup.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import typst

from alertsite.core.errors import PlatformError
from rules.reports.document import Block, Document

TEMPLATE: Final = Path(__file__).with_name("report.typ")
_LONGEST_WORD: Final = 24
_MAY_BREAK: Final = "\u200b"
"""Zero-width space."""


class PdfFailed(PlatformError):
    """The document cannot be set."""

    code = "report.pdf_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the PDF cannot be made: {reason}")


def to_pdf(document: Document, *, made_s: int) -> bytes:
    """The document as PDF. `made_s`, seconds since the epoch, is the date it carries.

    Raises
    ------
    PdfFailed
    """
    try:
        made = typst.compile(
            TEMPLATE,
            root=TEMPLATE.parent,
            font_paths=fonts(),
            sys_inputs=inputs_of(document),
            format="pdf",
            timestamp=made_s,
        )
    except typst.TypstError as error:
        raise PdfFailed(error.message) from None
    assert isinstance(made, bytes)
    return made


def inputs_of(document: Document) -> dict[str, str]:
    """What the template is given."""
    data = {
        "language": document.language,
        "title": _breakable(document.title),
        "subtitle": _breakable(document.subtitle),
        "blocks": [_block(block) for block in document.blocks],
    }
    return {"report": json.dumps(data)}


@cache
def fonts() -> typst.Fonts:
    """Those that Typst carries: the same on every machine."""
    return typst.Fonts(include_system_fonts=False)


def _block(block: Block) -> dict[str, Any]:
    values: dict[str, Any] = asdict(block)
    if "svg" not in values:
        values = _all_breakable(values)
    return values | {"kind": type(block).__name__.lower()}


def _all_breakable(value: Any) -> Any:
    if isinstance(value, str):
        return _breakable(value)
    if isinstance(value, dict):
        return {name: _all_breakable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_all_breakable(item) for item in value]
    return value


def _breakable(text: str) -> str:
    """The text with places to break in words too long for a column."""
    return " ".join(
        _MAY_BREAK.join(word[start : start + _LONGEST_WORD] for start in range(0, len(word), _LONGEST_WORD))
        for word in text.split(" ")
    )
