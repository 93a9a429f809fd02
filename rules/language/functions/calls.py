"""Function calls. In: a call of a plan, and the evaluator of its arguments. Out: a vector or a scalar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.checks import literal
from rules.language.frames import Run, Samples, Value, Vector, Windows, settled
from rules.language.functions import labelling
from rules.language.functions.absence import absent, scalar
from rules.language.functions.elementwise import CALENDAR, ELEMENTWISE, clamp, round_to
from rules.language.functions.histograms import (
    histogram_fraction,
    histogram_quantile,
    histogram_quantiles,
)
from rules.language.functions.info import info
from rules.language.functions.over_time import (
    COUNTER_FUNCTIONS,
    COUNTER_SUFFIXES,
    KEEPS_NAME,
    WINDOW_FUNCTIONS,
    predict_linear,
)
from rules.language.syntax import Call, Expr, RangeSelector, Slot, Subquery


class Evaluates(Protocol):
    """What functions ask of the evaluator."""

    run: Run

    def vector(self, expr: Expr, times_ms: Ints) -> Vector:
        """The elements of a vector expression."""

    def scalar(self, expr: Expr, times_ms: Ints) -> Floats:
        """Shape (b, t). The values of a scalar expression."""

    def windows(self, expr: Expr, times_ms: Ints) -> Windows:
        """The windows of a range selector or subquery."""

    def latest(self, slot: Slot, samples: Samples, times_ms: Ints) -> tuple[Ints, Bools]:
        """Shape (n, t) each. Position of the sample that a selector sees, and whether it sees one."""


Arguments: TypeAlias = tuple[Expr, ...]
Function: TypeAlias = Callable[[Evaluates, Arguments, Ints], Value]


def call(evaluator: Evaluates, expr: Call, times_ms: Ints) -> Value:
    """The value of a function call at each step."""
    name, arguments = expr.function, expr.arguments
    if name in WINDOW_FUNCTIONS:
        return _over_time(evaluator, expr, times_ms)
    if name in ELEMENTWISE:
        vector = evaluator.vector(arguments[0], times_ms)
        return vector.with_values(ELEMENTWISE[name](vector.values))
    if name in CALENDAR:
        return _calendar(evaluator, expr, times_ms)
    return _FUNCTIONS[name](evaluator, arguments, times_ms)


def _over_time(evaluator: Evaluates, expr: Call, times_ms: Ints) -> Vector:
    windowed = [arg for arg in expr.arguments if isinstance(arg, RangeSelector | Subquery)]
    scalars = [evaluator.scalar(arg, times_ms) for arg in expr.arguments if arg not in windowed]
    windows = evaluator.windows(windowed[0], times_ms)
    function = WINDOW_FUNCTIONS[expr.function]
    parts = [function(part, scalars, evaluator.run) for part in windows.parts()]
    values, present = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    rows = windows.samples.rows
    if expr.function in COUNTER_FUNCTIONS and isinstance(windowed[0], RangeSelector):
        _advise_on_counters(evaluator.run, windows, windowed[0].selector)
    return Vector(rows if expr.function in KEEPS_NAME else rows.dropped(), values, present)


def _advise_on_counters(run: Run, windows: Windows, slot: Expr) -> None:
    """Tell when a metric does not look like a counter; for a single query, where someone reads it."""
    if run.size > 1 or not run.had_data[0]:
        return
    assert isinstance(slot, Slot)
    matchers = run.selectors[slot.index][0]
    for name in windows.samples.rows.memo("gauges", lambda: _unlike_counters(matchers)):
        run.notes.inform(
            f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"'
        )


def _unlike_counters(matchers: tuple[Matcher, ...]) -> list[str]:
    named = [
        matcher.value for matcher in matchers if (matcher.name, matcher.op) == (METRIC_NAME, MatchOp.EQUAL)
    ]
    return [name for name in named if not name.endswith(COUNTER_SUFFIXES)]


def _calendar(evaluator: Evaluates, expr: Call, times_ms: Ints) -> Vector:
    of_seconds = CALENDAR[expr.function]
    if expr.arguments:
        vector = evaluator.vector(expr.arguments[0], times_ms)
        return vector.with_values(of_seconds(vector.values))
    return _everywhere(evaluator.run, _each_rule(evaluator.run, of_seconds(times_ms / 1000)))


def _each_rule(run: Run, values: Floats) -> Floats:
    """The same values, shape (t,), for every rule."""
    return np.broadcast_to(values, (run.size, len(values)))


def _everywhere(run: Run, values: Floats) -> Vector:
    """A vector of one element without labels for each rule: shape (b, t)."""
    return Vector(run.singles, values, np.ones(values.shape, np.bool_))


def _timestamp(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    """When the sample was taken, for a selector; the evaluation time for anything else."""
    argument = arguments[0]
    if not isinstance(argument, Slot) or argument.extension:
        vector = evaluator.vector(argument, times_ms)
        return vector.with_values(np.broadcast_to(times_ms / 1000, vector.values.shape))
    samples = evaluator.run.slots[argument.index]
    at, present = evaluator.latest(argument, samples, times_ms)
    seconds = samples.times_ms[at] / 1000 if len(samples.times_ms) else np.zeros(at.shape)
    return Vector(samples.rows.dropped(), seconds, present)


def _start_timestamp(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    """Nothing: the store keeps no start timestamps."""
    vector = evaluator.vector(arguments[0], times_ms)
    return vector.with_values(vector.values, np.zeros_like(vector.present))


def _info(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    slot = arguments[1]
    assert isinstance(slot, Slot)
    base = evaluator.vector(arguments[0], times_ms)
    samples = evaluator.run.slots[slot.index]
    at, present = evaluator.latest(slot, samples, times_ms)
    seen_ms = samples.times_ms[at] if len(samples.times_ms) else at
    infos = Vector(samples.rows, np.ones(at.shape), present)
    return info(base, infos, seen_ms, slot.index, evaluator.run)


def _absent(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    vector = evaluator.vector(arguments[0], times_ms)
    slot = arguments[0].index if isinstance(arguments[0], Slot) else None
    return absent(vector.rows, vector.present, slot, evaluator.run)


def _absent_over_time(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    windows = evaluator.windows(arguments[0], times_ms)
    selected = arguments[0].selector if isinstance(arguments[0], RangeSelector) else None
    slot = selected.index if isinstance(selected, Slot) else None
    return absent(windows.samples.rows, windows.counts > 0, slot, evaluator.run)


def _predict_linear(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    windows = evaluator.windows(arguments[0], times_ms)
    values, present = predict_linear(windows, evaluator.scalar(arguments[1], times_ms), times_ms)
    return Vector(windows.samples.rows.dropped(), values, present)


def _clamp(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    low, high = (evaluator.scalar(bound, times_ms) for bound in arguments[1:])
    return clamp(evaluator.vector(arguments[0], times_ms), low, high)


def _clamp_max(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    high = evaluator.scalar(arguments[1], times_ms)
    return clamp(evaluator.vector(arguments[0], times_ms), np.full_like(high, -np.inf), high)


def _clamp_min(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    low = evaluator.scalar(arguments[1], times_ms)
    return clamp(evaluator.vector(arguments[0], times_ms), low, np.full_like(low, np.inf))


def _round(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    nearest = np.ones((evaluator.run.size, 1))
    if len(arguments) > 1:
        nearest = evaluator.scalar(arguments[1], times_ms)
    return round_to(evaluator.vector(arguments[0], times_ms), nearest)


def _label_replace(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    vector = evaluator.vector(arguments[0], times_ms)
    target, replacement, source, pattern = map(literal, arguments[1:])
    changed = labelling.label_replace(vector, labelling.Replacement(target, replacement, source, pattern))
    return settled(changed, evaluator.run)


def _label_join(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    vector = evaluator.vector(arguments[0], times_ms)
    target, separator, *sources = map(literal, arguments[1:])
    return settled(labelling.label_join(vector, target, separator, tuple(sources)), evaluator.run)


def _keeps_order(run: Run) -> bool:
    """Whether the result has an order of its own: a range query's is ordered by labels."""
    if run.query.step_ms:
        run.notes.warn("sort is ineffective for range queries since results are always ordered by labels")
    return not run.query.step_ms


def _sort(*, descending: bool) -> Function:
    def function(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
        vector = evaluator.vector(arguments[0], times_ms)
        if not _keeps_order(evaluator.run) or len(times_ms) != 1:
            return vector
        return labelling.sorted_by_value(vector, descending=descending)

    return function


def _sort_by_label(*, descending: bool) -> Function:
    def function(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
        vector = evaluator.vector(arguments[0], times_ms)
        if not _keeps_order(evaluator.run) or len(times_ms) != 1:
            return vector
        return labelling.sorted_by_label(vector, tuple(map(literal, arguments[1:])), descending=descending)

    return function


def _histogram_quantile(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    q = evaluator.scalar(arguments[0], times_ms)
    return histogram_quantile(q, evaluator.vector(arguments[1], times_ms), evaluator.run)


def _histogram_quantiles(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    vector = evaluator.vector(arguments[0], times_ms)
    quantiles = [evaluator.scalar(argument, times_ms) for argument in arguments[2:]]
    found = histogram_quantiles(vector, literal(arguments[1]), quantiles, evaluator.run)
    return settled(found, evaluator.run)


def _histogram_fraction(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    lower, upper = (evaluator.scalar(bound, times_ms) for bound in arguments[:2])
    return histogram_fraction(lower, upper, evaluator.vector(arguments[2], times_ms), evaluator.run)


def _scalar(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    return scalar(evaluator.vector(arguments[0], times_ms), evaluator.run)


def _vector(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
    return _everywhere(evaluator.run, evaluator.scalar(arguments[0], times_ms))


def _time(evaluator: Evaluates, _: Arguments, times_ms: Ints) -> Value:
    return _each_rule(evaluator.run, times_ms / 1000)


def _of_query(seconds: Callable[[Run], float]) -> Function:
    def function(evaluator: Evaluates, _: Arguments, times_ms: Ints) -> Value:
        return _each_rule(evaluator.run, np.full(len(times_ms), seconds(evaluator.run)))

    return function


def _of_scalars(combine: Callable[[Floats, Floats], Floats]) -> Function:
    def function(evaluator: Evaluates, arguments: Arguments, times_ms: Ints) -> Value:
        left, right = (evaluator.scalar(argument, times_ms) for argument in arguments)
        return combine(left, right)

    return function


_FUNCTIONS: dict[str, Function] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": _clamp,
    "clamp_max": _clamp_max,
    "clamp_min": _clamp_min,
    "end": _of_query(lambda run: run.query.end_ms / 1000),
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "histogram_quantiles": _histogram_quantiles,
    "info": _info,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "max_of": _of_scalars(np.maximum),
    "min_of": _of_scalars(np.minimum),
    "pi": _of_query(lambda _: np.pi),
    "predict_linear": _predict_linear,
    "range": _of_query(lambda run: (run.query.end_ms - run.query.start_ms) / 1000),
    "round": _round,
    "scalar": _scalar,
    "sort": _sort(descending=False),
    "sort_by_label": _sort_by_label(descending=False),
    "sort_by_label_desc": _sort_by_label(descending=True),
    "sort_desc": _sort(descending=True),
    "start": _of_query(lambda run: run.query.start_ms / 1000),
    "start_timestamp": _start_timestamp,
    "step": _of_query(lambda run: run.query.step_ms / 1000),
    "time": _time,
    "timestamp": _timestamp,
    "vector": _vector,
}
