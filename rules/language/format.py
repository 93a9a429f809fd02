"""Tree to text. In: an expression. Out: its canonical text, for which `parse(format_expr(expr)) == expr`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from alertsite.core.durations import format_duration_ms
from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp
from rules.language.syntax import (
    PRECEDENCE,
    UNARY_PRECEDENCE,
    Aggregate,
    AtModifier,
    Binary,
    Call,
    Duration,
    DurationOperation,
    Expr,
    Matching,
    Negation,
    Number,
    RangeSelector,
    Selector,
    String,
    Subquery,
)

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UNQUOTABLE = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "atan2", "inf", "nan"})
_ATOM = 9
_DURATION_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}


def format_expr(expr: Expr) -> str:
    """The canonical text of an expression: one line, no needless parentheses."""
    return _FORMATS[type(expr)](expr)


def format_number(value: float) -> str:
    """As Go's `%v` would in spirit: whole numbers without a fraction, `+Inf`, `-Inf` and `NaN` by name."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e16:
        return ("-" if math.copysign(1, value) < 0 else "") + str(abs(int(value)))
    return repr(value)


def quote(text: str) -> str:
    """A string literal in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = "".join(c if c.isprintable() else _escape(c) for c in escaped)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return named or f"\\U{ord(character):08x}"


def _strength(expr: Expr) -> int:
    """How strongly the outermost operator of the printed expression binds."""
    if isinstance(expr, Binary):
        return PRECEDENCE[expr.op]
    if isinstance(expr, Negation) or (isinstance(expr, Number) and math.copysign(1, expr.value) < 0):
        return UNARY_PRECEDENCE
    return UNARY_PRECEDENCE if isinstance(expr, Number) and math.isinf(expr.value) else _ATOM


def _begins_with_sign(expr: Expr) -> bool:
    """Whether it is a signed operand: on the right of an operator that cannot be misread."""
    return isinstance(expr, Negation | Number) and _strength(expr) == UNARY_PRECEDENCE


def _inside(expr: Expr, weakest: int) -> str:
    text = format_expr(expr)
    return text if _strength(expr) >= weakest else f"({text})"


def _format_range_selector(expr: RangeSelector) -> str:
    assert isinstance(expr.selector, Selector)
    return _format_selector(expr.selector, f"[{_format_duration(expr.window)}]")


def _format_subquery(expr: Subquery) -> str:
    step = "" if expr.step is None else _format_duration(expr.step)
    window = f"[{_format_duration(expr.window)}:{step}]"
    return _inside(expr.expr, _ATOM) + window + _format_modifiers(expr.offset, expr.at)


def _format_call(expr: Call) -> str:
    return f"{expr.function}({', '.join(map(format_expr, expr.arguments))})"


def _format_binary(expr: Binary) -> str:
    strength = PRECEDENCE[expr.op]
    to_the_right = expr.op == "^"
    left = _inside(expr.left, strength + 1 if to_the_right else strength)
    right = _inside(expr.right, strength if to_the_right else strength + 1)
    if _begins_with_sign(expr.right):
        right = format_expr(expr.right)
    words = [left, expr.op]
    if expr.return_bool:
        words.append("bool")
    if expr.matching:
        words.extend(_format_matching(expr.matching))
    return " ".join([*words, right])


def _format_matching(matching: Matching) -> list[str]:
    words = []
    if matching.on or matching.labels or matching.many:
        words.append(f"{'on' if matching.on else 'ignoring'} ({_format_names(matching.labels)})")
    if matching.many:
        # The parentheses stay: without them a parenthesised right side would read as the list.
        words.append(f"group_{matching.many} ({_format_names(matching.include)})")
    if matching.fill_left is not None and matching.fill_left == matching.fill_right:
        return [*words, f"fill ({format_number(matching.fill_left)})"]
    for side, value in (("left", matching.fill_left), ("right", matching.fill_right)):
        if value is not None:
            words.append(f"fill_{side} ({format_number(value)})")
    return words


def _format_aggregate(expr: Aggregate) -> str:
    arguments = [expr.expr] if expr.parameter is None else [expr.parameter, expr.expr]
    clause = ""
    if expr.grouping or expr.without:
        clause = f" {'without' if expr.without else 'by'} ({_format_names(expr.grouping)}) "
    return f"{expr.op}{clause}({', '.join(map(format_expr, arguments))})"


def _format_names(names: tuple[str, ...]) -> str:
    return ", ".join(name if _LABEL.fullmatch(name) else quote(name) for name in names)


def _format_selector(selector: Selector, window: str = "") -> str:
    name, matchers = "", list(selector.matchers)
    named = [matcher for matcher in matchers if matcher.name == METRIC_NAME]
    if len(named) == 1 and named[0].op is MatchOp.EQUAL and _is_plain_name(named[0].value):
        name = named[0].value
        matchers.remove(named[0])
    braces = f"{{{', '.join(map(_format_matcher, matchers))}}}" if matchers or not name else ""
    extension = f" {selector.extension}" if selector.extension else ""
    return name + braces + window + extension + _format_modifiers(selector.offset, selector.at)


def _is_plain_name(name: str) -> bool:
    return _METRIC.fullmatch(name) is not None and name.lower() not in _UNQUOTABLE


def _format_matcher(matcher: Matcher) -> str:
    name = matcher.name if _LABEL.fullmatch(matcher.name) else quote(matcher.name)
    return f"{name}{matcher.op.value}{quote(matcher.value)}"


def _format_modifiers(offset: Duration, at: AtModifier | None) -> str:
    words = ""
    if at is not None:
        words += f" @ {at}()" if isinstance(at, str) else f" @ {at / 1000:.3f}"
    if isinstance(offset, DurationOperation):
        words += f" offset ({_format_operand(offset)})"
    elif offset:
        words += f" offset {_format_duration(offset)}"
    return words


def _format_duration(duration: Duration) -> str:
    if isinstance(duration, DurationOperation):
        return _format_operand(duration)
    return ("-" if duration < 0 else "") + format_duration_ms(abs(duration))


def _format_operand(operand: DurationOperation | float, weakest: int = 0) -> str:
    if not isinstance(operand, DurationOperation):
        text = format_number(operand)
        return f"({text})" if operand < 0 and weakest else text
    if operand.op in {"step", "range", "min_of", "max_of"}:
        return f"{operand.op}({', '.join(map(_format_operand, operand.operands))})"
    strength = _DURATION_STRENGTH[operand.op]
    left, right = operand.operands
    if operand.op == "-" and left == 0:
        return f"(-{_format_operand(right, 3)})"
    swap = operand.op == "^"
    text = (
        f"{_format_operand(left, strength + swap)} {operand.op} "
        f"{_format_operand(right, strength + (not swap))}"
    )
    return f"({text})" if strength < weakest else text


def format_value(value: float) -> str:
    """A value as Prometheus writes it into labels and JSON: the fewest digits that give it back."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = np.format_float_positional(value, trim="-")
    return str(text)


_FORMATS: dict[type, Callable[[Any], str]] = {
    Number: lambda expr: format_number(expr.value),
    String: lambda expr: quote(expr.value),
    Selector: _format_selector,
    RangeSelector: _format_range_selector,
    Subquery: _format_subquery,
    Call: _format_call,
    Aggregate: _format_aggregate,
    Negation: lambda expr: "-" + _inside(expr.expr, UNARY_PRECEDENCE + 1),
    Binary: _format_binary,
}
