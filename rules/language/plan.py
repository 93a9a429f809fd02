"""Expression to plan. In: text. Out: an immutable `Plan`. Refused: what `parser` refuses, and what cannot
work whatever the series are (a bad regular expression in `label_replace`, `anchored` out of place).

A plan has a *shape*, shared by all plans of that structure, and its own numbers and matchers. So 100,000
rules `metric_i > c` are one shape, and each costs its name and its number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from weakref import WeakValueDictionary

from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp
from rules.language.checks import check_aggregate, check_call
from rules.language.durations import resolve
from rules.language.functions.info import info_matchers, info_modifiers
from rules.language.parser import DEFAULT_LIMITS, ParseLimits, parse
from rules.language.syntax import (
    Aggregate,
    Call,
    Duration,
    Expr,
    Number,
    Parameter,
    RangeSelector,
    Selector,
    Slot,
    Subquery,
    ValueType,
    children,
    with_children,
)
from rules.language.types import type_of

Matchers = tuple[Matcher, ...]
ResultKind = Literal["vector", "scalar", "string", "matrix"]

_KINDS: dict[ValueType, ResultKind] = {
    ValueType.VECTOR: "vector",
    ValueType.SCALAR: "scalar",
    ValueType.STRING: "string",
    ValueType.MATRIX: "matrix",
}


class Shape:
    """The structure of an expression. Equal structures share one object."""

    __slots__ = ("__weakref__", "kind", "root")

    def __init__(self, root: Expr) -> None:
        self.root = root
        self.kind = _KINDS[type_of(root)]


_SHAPES: WeakValueDictionary[Expr, Shape] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class SelectorWindow:
    """What a selector reads, relative to the evaluation time: `(at - reach_ms, at - offset_ms]`.

    Lookback is not counted in. `pinned` selectors (`@`) read at an absolute time instead.
    """

    matchers: Matchers
    reach_ms: int
    offset_ms: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """An expression ready to be evaluated: its structure, and what differs between rules of that structure.

    Attributes
    ----------
    numbers
        The literal numbers, by `Parameter.index`.
    selectors
        The matchers of each selector, by `Slot.index`.
    """

    shape: Shape
    numbers: tuple[float, ...]
    selectors: tuple[Matchers, ...]

    @property
    def kind(self) -> ResultKind:
        """What the expression evaluates to at one time."""
        return self.shape.kind

    @property
    def metric_names(self) -> frozenset[str]:
        """Metric names that selectors ask for by equality."""
        return frozenset(
            matcher.value
            for matchers in self.selectors
            for matcher in matchers
            if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL
        )

    @property
    def windows(self) -> tuple[SelectorWindow, ...]:
        """What each selector reads at an instant query. With it a caller estimates the cost."""
        return tuple(_windows(self.shape.root, self, 0, 0))


def plan(text: str, limits: ParseLimits = DEFAULT_LIMITS) -> Plan:
    """The plan of an expression.

    Raises
    ------
    ParseError
        With position and reason.
    EvaluationError
        If a literal argument can never work.
    """
    return plan_expr(parse(text, limits))


def plan_expr(expr: Expr) -> Plan:
    """The plan of an expression that is parsed already."""
    numbers: list[float] = []
    selectors: list[Matchers] = []
    root = _abstract(expr, numbers, selectors)
    shape = _SHAPES.get(root)
    if shape is None:
        shape = _SHAPES[root] = Shape(root)
    return Plan(shape, tuple(numbers), tuple(selectors))


@lru_cache(maxsize=4096)
def _shared(matcher: Matcher) -> Matcher:
    """One object for equal matchers: rules of a tenant repeat `job="…"` by the thousand."""
    return matcher


def _abstract(expr: Expr, numbers: list[float], selectors: list[Matchers]) -> Expr:
    """The expression with its numbers and matchers moved to the lists."""
    match expr:
        case Number():
            numbers.append(expr.value)
            return Parameter(len(numbers) - 1)
        case Selector():
            selectors.append(tuple(map(_shared, expr.matchers)))
            return Slot(len(selectors) - 1, expr.offset, expr.at, expr.extension)
        case Call():
            return _abstract_call(expr, numbers, selectors)
        case Aggregate():
            check_aggregate(expr)
    return with_children(expr, [_abstract(part, numbers, selectors) for part in children(expr)])


def _abstract_call(expr: Call, numbers: list[float], selectors: list[Matchers]) -> Expr:
    check_call(expr)
    arguments = [_abstract(argument, numbers, selectors) for argument in expr.arguments[: _evaluated(expr)]]
    if expr.function == "info":
        offset, at = info_modifiers(expr.arguments[0])
        chosen = expr.arguments[1] if len(expr.arguments) > 1 else None
        assert chosen is None or isinstance(chosen, Selector)
        selectors.append(info_matchers(chosen))
        arguments.append(Slot(len(selectors) - 1, offset, at))
    return Call(expr.function, tuple(arguments))


def _evaluated(expr: Call) -> int:
    """How many arguments are expressions: the second one of `info` is not, it names labels."""
    return 1 if expr.function == "info" else len(expr.arguments)


def _windows(expr: Expr, owner: Plan, reach_ms: int, offset_ms: int) -> Iterator[SelectorWindow]:
    match expr:
        case Slot():
            shift = offset_ms + _known(expr.offset)
            yield SelectorWindow(owner.selectors[expr.index], reach_ms + shift, shift, expr.at is not None)
        case RangeSelector():
            yield from _windows(expr.selector, owner, reach_ms + _known(expr.window), offset_ms)
        case Subquery():
            shift = offset_ms + _known(expr.offset)
            yield from _windows(expr.expr, owner, reach_ms + _known(expr.window), shift)
        case _:
            for part in children(expr):
                yield from _windows(part, owner, reach_ms, offset_ms)


def _known(duration: Duration) -> int:
    return resolve(duration, step_s=0.0, range_s=0.0, positive=False)
