"""The syntax tree of a template. Every node knows the offset of its first character, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant: bool, int, float or str. `nil` is None."""

    at: int
    value: bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Dot:
    """The current value."""

    at: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function by name. Its arguments are the words that follow it in the command."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """`.a.b` of dot, of a variable, or of a pipeline in parentheses."""

    at: int
    base: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A word and its arguments."""

    at: int
    words: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the value of the one before, and the variables that take the last value."""

    at: int
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False
    """`=` to existing variables instead of `:=`."""


Operand: TypeAlias = Literal | Dot | Variable | Call | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Copied as it stands."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """`{{ pipeline }}`."""

    at: int
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class If:
    """`{{ if }} … {{ else }} … {{ end }}`."""

    at: int
    condition: Pipeline
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class With:
    """As `If`, with dot set to the value of the condition."""

    at: int
    condition: Pipeline
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Range:
    """The body once for each element, `otherwise` when there is none."""

    at: int
    over: Pipeline
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Include:
    """`{{ template "name" pipeline }}`."""

    at: int
    name: str
    argument: Pipeline | None


@dataclass(frozen=True, slots=True)
class Break:
    """Leave the innermost range."""

    at: int


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on with the next element of the innermost range."""

    at: int


Node: TypeAlias = Text | Action | If | With | Range | Include | Break | Continue
Body: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text: its body and the templates it defines."""

    text: str
    body: Body
    defined: Mapping[str, Body]
