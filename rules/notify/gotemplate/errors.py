"""What can go wrong with a template: it is malformed, found when it is saved, or fails when it is filled."""

from __future__ import annotations

from dataclasses import dataclass

from alertsite.core.errors import PlatformError

MAX_REASON = 300
"""A reason may quote the template, which may be long."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a template, both counted from one. Columns count characters."""

    line: int
    column: int

    @classmethod
    def of(cls, text: str, offset: int) -> Position:
        """The position of a character."""
        start = text.rfind("\n", 0, offset) + 1
        return cls(text.count("\n", 0, offset) + 1, offset - start + 1)

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class _AtPosition(PlatformError):
    def __init__(self, position: Position, reason: str) -> None:
        self.position = position
        self.reason = reason if len(reason) <= MAX_REASON else f"{reason[:MAX_REASON]}…"
        super().__init__(f"{position}: {self.reason}")


class TemplateMalformed(_AtPosition):
    """The text is no template: bad syntax, an unknown function, or a variable that is not defined."""

    code = "template.malformed"


class TemplateFailed(_AtPosition):
    """A well-formed template could not be filled: a wrong type, a failing function, or a limit reached."""

    code = "template.failed"


class Fault(Exception):
    """A value, function or limit refuses. The evaluator adds the position and raises `TemplateFailed`."""
