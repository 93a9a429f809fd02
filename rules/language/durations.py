"""Durations in brackets and after `offset`: literal, or computed from the step and range of the query.

In: the token stream at the duration. Out: milliseconds, or a `DurationOperation` that `resolve` turns into
milliseconds once the query is known. Refused: windows that are not positive, division by zero, infinities.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rules.language.errors import EvaluationError
from rules.language.lexer import Token, TokenStream, number_of, seconds_of
from rules.language.syntax import Duration, DurationOperation

_STRENGTH = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}
_SIGN_STRENGTH = 2
_LONGEST_S = 2**63 / 1e9
_MAX_NESTING = 32

_Operand = DurationOperation | float


class _NotADuration(Exception):
    """A computed duration that is none; the message says why."""


def parse_window(tokens: TokenStream) -> Duration:
    """A duration in brackets, greater than zero."""
    token = tokens.next
    return _finished(tokens, token, _expression(tokens, 0, 0), positive=True)


def parse_offset(tokens: TokenStream) -> Duration:
    """A duration after `offset`: signed, and an operation only in parentheses."""
    token = tokens.next
    sign = tokens.read_op("+", "-")
    operand = _primary(tokens, 0)
    if sign and sign.text == "-":
        operand = _negated(operand)
    return _finished(tokens, token, operand, positive=False)


def _finished(tokens: TokenStream, token: Token, operand: _Operand, *, positive: bool) -> Duration:
    if isinstance(operand, DurationOperation) and _needs_query(operand):
        return operand
    try:
        return _milliseconds(_seconds(operand, 0.0, 0.0), positive=positive)
    except _NotADuration as reason:
        raise tokens.error(str(reason), token) from None


def _expression(tokens: TokenStream, weakest: int, depth: int) -> _Operand:
    if depth > _MAX_NESTING:
        raise tokens.error(f"duration is nested deeper than {_MAX_NESTING} levels", tokens.next)
    if sign := tokens.read_op("+", "-"):
        left = _expression(tokens, _SIGN_STRENGTH, depth + 1)
        left = _negated(left) if sign.text == "-" else left
    else:
        left = _primary(tokens, depth)
    while (strength := _STRENGTH.get(tokens.next.text, 0)) > weakest:
        op = tokens.read().text
        right = _expression(tokens, strength - 1 if op == "^" else strength, depth + 1)
        left = DurationOperation(op, (left, right))
    return left


def _primary(tokens: TokenStream, depth: int) -> _Operand:
    token = tokens.next
    if token.kind == "number":
        return number_of(tokens.read().text)
    if token.kind == "duration":
        return seconds_of(tokens.read().text)
    if tokens.read_op("("):
        inner = _expression(tokens, 0, depth + 1)
        tokens.expect_op(")", "duration")
        return inner
    if tokens.read_keyword("step", "range"):
        tokens.expect_op("(", "duration")
        tokens.expect_op(")", "duration")
        return DurationOperation(token.keyword)
    if tokens.read_keyword("min_of", "max_of"):
        tokens.expect_op("(", "duration")
        first = _expression(tokens, 0, depth + 1)
        tokens.expect_op(",", "duration")
        second = _expression(tokens, 0, depth + 1)
        tokens.expect_op(")", "duration")
        return DurationOperation(token.keyword, (first, second))
    return tokens.refuse("duration", "number, duration, step(), or range()")


def _negated(operand: _Operand) -> _Operand:
    return -operand if isinstance(operand, float) else DurationOperation("-", (0.0, operand))


def _needs_query(operand: _Operand) -> bool:
    if not isinstance(operand, DurationOperation):
        return False
    return operand.op in {"step", "range"} or any(map(_needs_query, operand.operands))


def resolve(duration: Duration, *, step_s: float, range_s: float, positive: bool) -> int:
    """Milliseconds of a duration in a query of this step and range.

    Raises
    ------
    EvaluationError
        If a window comes out not positive, or a duration infinite or out of range.
    """
    if isinstance(duration, int):
        return duration
    try:
        return _milliseconds(_seconds(duration, step_s, range_s), positive=positive)
    except _NotADuration as reason:
        raise EvaluationError(str(reason)) from None


def _seconds(operand: _Operand, step_s: float, range_s: float) -> float:
    if not isinstance(operand, DurationOperation):
        return operand
    if operand.op in {"step", "range"}:
        return step_s if operand.op == "step" else range_s
    left, right = (_seconds(part, step_s, range_s) for part in operand.operands)
    if operand.op in {"/", "%"} and right == 0:
        raise _NotADuration("division by zero" if operand.op == "/" else "modulo by zero")
    try:
        return _OPERATIONS[operand.op](left, right)
    except (OverflowError, ValueError):
        return math.nan


_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": math.fmod,
    "^": math.pow,
    "min_of": min,
    "max_of": max,
}


def _milliseconds(seconds: float, *, positive: bool) -> int:
    if not math.isfinite(seconds):
        raise _NotADuration("duration is NaN or infinite")
    if positive and seconds <= 0:
        raise _NotADuration("duration must be greater than 0")
    if abs(seconds) > _LONGEST_S:
        raise _NotADuration("duration out of range")
    # Rounded to the microsecond first: 0.29 s is 290 ms, whatever its binary fraction.
    return int(round(seconds * 1e6) / 1000)
