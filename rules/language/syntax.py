"""The tree of an expression: what `parser` makes, `format` prints and `plan` takes apart.

Nodes are values: they compare, hash and carry no positions. Parentheses leave no trace, they are put back by
precedence. A metric name is a matcher like any other. Durations are milliseconds, or a `DurationOperation`
where they depend on the step or range of the query.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from alertsite.core.labels import Matcher


class ValueType(enum.Enum):
    """What an expression evaluates to. The value is Prometheus's word for it."""

    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "instant vector"
    MATRIX = "range vector"


@dataclass(frozen=True, slots=True)
class DurationOperation:
    """A duration known only with the query: an arithmetic operator, `step`, `range`, `min_of` or `max_of`.

    Numbers among the operands are seconds.
    """

    op: str
    operands: tuple[DurationOperation | float, ...] = ()


Duration: TypeAlias = int | DurationOperation
"""Milliseconds, or what makes them once the query's step and range are known."""
AtModifier: TypeAlias = int | Literal["start", "end"]
"""Milliseconds since the epoch, or a bound of the query."""
Extension: TypeAlias = Literal["anchored", "smoothed"]


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number; a literal duration is its seconds."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A literal string."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """An instant selector."""

    matchers: tuple[Matcher, ...]
    offset: Duration = 0
    at: AtModifier | None = None
    extension: Extension | None = None


@dataclass(frozen=True, slots=True)
class RangeSelector:
    """The samples of a selector in the window that ends at its time."""

    selector: Selector | Slot
    window: Duration


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated at aligned steps in the window; no `step` means the default interval."""

    expr: Expr
    window: Duration
    step: Duration | None = None
    offset: Duration = 0
    at: AtModifier | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function applied to its arguments."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation; `parameter` is the `k` of topk, the quantile, or the label of count_values."""

    op: str
    expr: Expr
    grouping: tuple[str, ...] = ()
    without: bool = False
    parameter: Expr | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """How the two sides of a binary operator find each other.

    `many` names the side with several elements a match (`group_left` says left); None is one-to-one, or
    many-to-many for set operators.
    """

    on: bool = False
    labels: tuple[str, ...] = ()
    many: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()
    fill_left: float | None = None
    fill_right: float | None = None


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary operation. `matching` is None unless both sides are vectors."""

    op: str
    left: Expr
    right: Expr
    return_bool: bool = False
    matching: Matching | None = None


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus on anything but a literal number."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class Parameter:
    """Stands in a plan for a literal number, which differs from rule to rule."""

    index: int


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands in a plan for the matchers of a selector, which differ from rule to rule."""

    index: int
    offset: Duration = 0
    at: AtModifier | None = None
    extension: Extension | None = None


Expr: TypeAlias = (
    Number
    | String
    | Selector
    | RangeSelector
    | Subquery
    | Call
    | Aggregate
    | Binary
    | Negation
    | Parameter
    | Slot
)
"""`Parameter` and `Slot` occur in plans only, where they replace `Number` and `Selector`."""

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
SET_OPERATORS = frozenset({"and", "or", "unless"})
PRECEDENCE = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(COMPARISONS, 3),
    "+": 4,
    "-": 4,
    "*": 5,
    "/": 5,
    "%": 5,
    "atan2": 5,
    "^": 6,
}
"""Binding strength of the binary operators. `^` alone associates to the right; unary minus binds as `*`."""
UNARY_PRECEDENCE = 5

PARAMETRIC_AGGREGATIONS = {
    "topk": ValueType.SCALAR,
    "bottomk": ValueType.SCALAR,
    "quantile": ValueType.SCALAR,
    "limitk": ValueType.SCALAR,
    "limit_ratio": ValueType.SCALAR,
    "count_values": ValueType.STRING,
}
AGGREGATIONS = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar"} | PARAMETRIC_AGGREGATIONS.keys()
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The expressions directly inside an expression."""
    match expr:
        case Call():
            return expr.arguments
        case Aggregate():
            return (expr.expr,) if expr.parameter is None else (expr.parameter, expr.expr)
        case Binary():
            return (expr.left, expr.right)
        case Negation() | Subquery():
            return (expr.expr,)
        case RangeSelector():
            return (expr.selector,)
    return ()


def with_children(expr: Expr, parts: Sequence[Expr]) -> Expr:
    """The expression with other expressions inside, in the order of `children`."""
    match expr:
        case Call():
            return replace(expr, arguments=tuple(parts))
        case Aggregate():
            return replace(expr, expr=parts[-1], parameter=parts[0] if len(parts) > 1 else None)
        case Binary():
            return replace(expr, left=parts[0], right=parts[1])
        case Negation() | Subquery():
            return replace(expr, expr=parts[0])
        case RangeSelector():
            assert isinstance(parts[0], Selector | Slot)
            return replace(expr, selector=parts[0])
    return expr
