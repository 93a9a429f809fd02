"""What each function takes and returns. In: a name. Out: its `Signature`, or None for an unknown name."""

from __future__ import annotations

from dataclasses import dataclass

from rules.language.syntax import ValueType

_SCALAR, _STRING, _VECTOR, _MATRIX = ValueType.SCALAR, ValueType.STRING, ValueType.VECTOR, ValueType.MATRIX


@dataclass(frozen=True, slots=True)
class Signature:
    """Argument types and result type.

    `required` arguments must be given; the last type repeats up to `at_most` arguments (None: without bound).
    """

    arguments: tuple[ValueType, ...]
    required: int
    at_most: int | None
    returns: ValueType


def _fixed(*arguments: ValueType, returns: ValueType = _VECTOR) -> Signature:
    return Signature(arguments, len(arguments), len(arguments), returns)


def _optional(*arguments: ValueType) -> Signature:
    return Signature(arguments, len(arguments) - 1, len(arguments), _VECTOR)


def _repeating(*arguments: ValueType, required: int, at_most: int | None = None) -> Signature:
    return Signature(arguments, required, at_most, _VECTOR)


OF_VECTOR = [
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "ln",
    "log10",
    "log2",
    "rad",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
    "start_timestamp",
]
OF_TIME = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
]
OF_WINDOW = [
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "first_over_time",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "mad_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
]
OF_NATIVE_HISTOGRAM = [
    "histogram_avg",
    "histogram_count",
    "histogram_sum",
    "histogram_stddev",
    "histogram_stdvar",
]
OF_QUERY = [
    "end",
    "pi",
    "range",
    "start",
    "step",
    "time",
]

SIGNATURES: dict[str, Signature] = {
    **dict.fromkeys(OF_VECTOR, _fixed(_VECTOR)),
    **dict.fromkeys(OF_TIME, _optional(_VECTOR)),
    **dict.fromkeys(OF_WINDOW, _fixed(_MATRIX)),
    **dict.fromkeys(OF_NATIVE_HISTOGRAM, _fixed(_VECTOR)),
    **dict.fromkeys(OF_QUERY, _fixed(returns=_SCALAR)),
    "clamp": _fixed(_VECTOR, _SCALAR, _SCALAR),
    "clamp_max": _fixed(_VECTOR, _SCALAR),
    "clamp_min": _fixed(_VECTOR, _SCALAR),
    "double_exponential_smoothing": _fixed(_MATRIX, _SCALAR, _SCALAR),
    "histogram_fraction": _fixed(_SCALAR, _SCALAR, _VECTOR),
    "histogram_quantile": _fixed(_SCALAR, _VECTOR),
    "histogram_quantiles": _repeating(_VECTOR, _STRING, _SCALAR, required=3, at_most=12),
    "info": _optional(_VECTOR, _VECTOR),
    "label_join": _repeating(_VECTOR, _STRING, _STRING, _STRING, required=3),
    "label_replace": _fixed(_VECTOR, _STRING, _STRING, _STRING, _STRING),
    "max_of": _fixed(_SCALAR, _SCALAR, returns=_SCALAR),
    "min_of": _fixed(_SCALAR, _SCALAR, returns=_SCALAR),
    "predict_linear": _fixed(_MATRIX, _SCALAR),
    "quantile_over_time": _fixed(_SCALAR, _MATRIX),
    "round": _optional(_VECTOR, _SCALAR),
    "scalar": _fixed(_VECTOR, returns=_SCALAR),
    "sort_by_label": _repeating(_VECTOR, _STRING, required=1),
    "sort_by_label_desc": _repeating(_VECTOR, _STRING, required=1),
    "vector": _fixed(_SCALAR),
}
RENAMED = {"holt_winters": "double_exponential_smoothing"}
"""Names in Prometheus 2 of functions that it calls otherwise since."""
