"""Literal arguments that can never work, found when the plan is made. Refused with `EvaluationError`."""

from __future__ import annotations

import re2

from rules.language.errors import EvaluationError
from rules.language.syntax import Aggregate, Call, Expr, RangeSelector, Selector, String

_ALLOWED = {
    "anchored": ("changes", "delta", "increase", "rate", "resets"),
    "smoothed": ("delta", "increase", "rate"),
}
MAX_REGEX_LENGTH = 4096


def check_aggregate(aggregate: Aggregate) -> None:
    """Raise `EvaluationError` for `count_values` into no label."""
    if aggregate.op == "count_values" and aggregate.parameter and not literal(aggregate.parameter):
        raise EvaluationError('invalid label name ""')


def check_call(call: Call) -> None:
    """Raise `EvaluationError` for a call whose literal arguments can never work."""
    for argument in call.arguments:
        if isinstance(argument, RangeSelector):
            _check_extension(call.function, argument.selector)
    if call.function == "label_replace":
        _expect_label(call.arguments[1], "destination label name in label_replace()")
        compile_replacement(literal(call.arguments[4]))
    elif call.function == "label_join":
        for argument in call.arguments[3:]:
            _expect_label(argument, "source label name in label_join()")
        _expect_label(call.arguments[1], "destination label name in label_join()")


def _check_extension(function: str, selector: Expr) -> None:
    extension = selector.extension if isinstance(selector, Selector) else None
    if extension and function not in _ALLOWED[extension]:
        allowed = ", ".join(_ALLOWED[extension])
        raise EvaluationError(f"{extension} modifier can only be used with: {allowed} - not with {function}")


def _expect_label(argument: Expr, what: str) -> None:
    if not literal(argument):
        raise EvaluationError(f"invalid {what}: {literal(argument)}")


def literal(argument: Expr) -> str:
    """The string of a literal string; where the grammar lets nothing else stand."""
    assert isinstance(argument, String)
    return argument.value


def compile_replacement(pattern: str) -> re2._Regexp[str]:
    """The fully anchored expression of `label_replace`.

    Raises
    ------
    EvaluationError
        If RE2 refuses it or it is too long.
    """
    options = re2.Options()
    options.log_errors = False
    if len(pattern) > MAX_REGEX_LENGTH:
        raise EvaluationError(
            f"regular expression has {len(pattern)} characters, limit is {MAX_REGEX_LENGTH}"
        )
    try:
        return re2.compile(f"^(?s:{pattern})$", options)
    except re2.error:
        raise EvaluationError(f"invalid regular expression in label_replace(): {pattern}") from None
