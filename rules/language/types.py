"""Which type each part of an expression has, and which parts fit together.

In: finished operands. Out: the node over them. Refused, in Prometheus's words, with `TypeMismatch`: a wrong
number or type of arguments, matching on scalars, grouping in set operations. The parser adds the position.
"""

from __future__ import annotations

from difflib import get_close_matches

from rules.language.functions.signatures import OF_NATIVE_HISTOGRAM, RENAMED, SIGNATURES
from rules.language.syntax import (
    AGGREGATIONS,
    COMPARISONS,
    PARAMETRIC_AGGREGATIONS,
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Matching,
    Negation,
    Number,
    Parameter,
    RangeSelector,
    Selector,
    String,
    Subquery,
    ValueType,
)


class TypeMismatch(Exception):
    """Parts that do not fit together; the message is Prometheus's."""


_LEAF_TYPES: dict[type, ValueType] = {
    Number: ValueType.SCALAR,
    Parameter: ValueType.SCALAR,
    String: ValueType.STRING,
    RangeSelector: ValueType.MATRIX,
    Subquery: ValueType.MATRIX,
}


def type_of(expr: Expr) -> ValueType:
    """The type of an expression's value."""
    match expr:
        case Call():
            return SIGNATURES[expr.function].returns
        case Negation():
            return type_of(expr.expr)
        case Binary(matching=None):
            scalars = type_of(expr.left) is type_of(expr.right) is ValueType.SCALAR
            return ValueType.SCALAR if scalars else ValueType.VECTOR
    return _LEAF_TYPES.get(type(expr), ValueType.VECTOR)


def expect_type(expr: Expr, wanted: ValueType, context: str) -> None:
    """Raise `TypeMismatch` unless the expression has the type."""
    found = type_of(expr)
    if found is not wanted:
        raise TypeMismatch(f"expected type {wanted.value} in {context}, got {found.value}")


def call(function: str, arguments: tuple[Expr, ...]) -> Call:
    """A function call that fits its signature; a name of Prometheus 2 becomes that of Prometheus 3."""
    function = RENAMED.get(function, function)
    signature = SIGNATURES.get(function)
    if signature is None:
        near = get_close_matches(function, [*SIGNATURES, *AGGREGATIONS], n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise TypeMismatch(f'unknown function with name "{function}"{hint}')
    if function in OF_NATIVE_HISTOGRAM:
        raise TypeMismatch(f'function "{function}" needs native histograms, which are not supported')
    _check_count(function, len(arguments), signature.required, signature.at_most)
    if function == "info" and len(arguments) > 1:
        _check_info_selector(arguments[1])
    for position, argument in enumerate(arguments):
        wanted = signature.arguments[min(position, len(signature.arguments) - 1)]
        expect_type(argument, wanted, f'call to function "{function}"')
    return Call(function, arguments)


def _check_count(function: str, given: int, required: int, at_most: int | None) -> None:
    if required == at_most:
        if given != required:
            raise TypeMismatch(f'expected {required} argument(s) in call to "{function}", got {given}')
    elif given < required:
        raise TypeMismatch(f'expected at least {required} argument(s) in call to "{function}", got {given}')
    elif at_most is not None and given > at_most:
        raise TypeMismatch(f'expected at most {at_most} argument(s) in call to "{function}", got {given}')


def _check_info_selector(argument: Expr) -> None:
    if not isinstance(argument, Selector):
        raise TypeMismatch("expected label selectors only")


def aggregate(op: str, arguments: tuple[Expr, ...], grouping: tuple[str, ...], *, without: bool) -> Aggregate:
    """An aggregation with as many arguments as it takes."""
    if not arguments:
        raise TypeMismatch("no arguments for aggregate expression provided")
    wanted = 2 if op in PARAMETRIC_AGGREGATIONS else 1
    if len(arguments) != wanted:
        raise TypeMismatch(
            "wrong number of arguments for aggregate expression provided, "
            f"expected {wanted}, got {len(arguments)}"
        )
    expect_type(arguments[-1], ValueType.VECTOR, "aggregation expression")
    parameter = None
    if wanted == 2:
        parameter = arguments[0]
        expect_type(parameter, PARAMETRIC_AGGREGATIONS[op], "aggregation parameter")
    return Aggregate(op, arguments[-1], grouping, without, parameter)


def binary(op: str, left: Expr, right: Expr, *, return_bool: bool, matching: Matching) -> Binary:
    """A binary operation on scalars and vectors."""
    types = (type_of(left), type_of(right))
    if return_bool and op not in COMPARISONS:
        raise TypeMismatch("bool modifier can only be used on comparison operators")
    if not {*types} <= {ValueType.SCALAR, ValueType.VECTOR}:
        raise TypeMismatch("binary expression must contain only scalar and instant vector types")
    if types == (ValueType.VECTOR, ValueType.VECTOR):
        _check_matching(op, matching)
        return Binary(op, left, right, return_bool, matching)
    if op in COMPARISONS and not return_bool and types == (ValueType.SCALAR, ValueType.SCALAR):
        raise TypeMismatch("comparisons between scalars must use BOOL modifier")
    if op in SET_OPERATORS:
        raise TypeMismatch(f'set operator "{op}" not allowed in binary scalar expression')
    if matching.labels:
        raise TypeMismatch("vector matching only allowed between instant vectors")
    if matching.fill_left is not None or matching.fill_right is not None:
        raise TypeMismatch("filling in missing series only allowed between instant vectors")
    return Binary(op, left, right, return_bool)


def _check_matching(op: str, matching: Matching) -> None:
    if matching.on:
        for label in matching.labels:
            if label in matching.include:
                raise TypeMismatch(f'label "{label}" must not occur in ON and GROUP clause at once')
    if op in SET_OPERATORS:
        if matching.many:
            raise TypeMismatch(f'no grouping allowed for "{op}" operation')
        if matching.fill_left is not None or matching.fill_right is not None:
            raise TypeMismatch("filling in missing series not allowed for set operators")


def negation(expr: Expr) -> Expr:
    """Unary minus; a literal number takes the sign itself."""
    if isinstance(expr, Number):
        return Number(-expr.value)
    expect_signable(expr)
    return Negation(expr)


def expect_signable(expr: Expr) -> None:
    """Raise `TypeMismatch` for what takes no sign."""
    found = type_of(expr)
    if found not in {ValueType.SCALAR, ValueType.VECTOR}:
        raise TypeMismatch(
            "unary expression only allowed on expressions of type scalar or instant vector, "
            f'got "{found.value}"'
        )


def selector(selected: Selector) -> Selector:
    """A selector with a matcher that does not accept the empty string, lest it select everything."""
    if all(matcher.matches("") for matcher in selected.matchers):
        raise TypeMismatch("vector selector must contain at least one non-empty matcher")
    return selected
