"""One expression at one time or over a range. In: a plan, a reader, times. Out: its result, columnar.

Refused with `EvaluationError` (what the series do not allow), `QueryTooExpensive`, `QueryTimeout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.binding import bind
from rules.language.checks import literal
from rules.language.errors import QueryTooExpensive
from rules.language.evaluate import Evaluator
from rules.language.frames import EvaluationLimits, QueryRange, Run, Vector, Windows, settled
from rules.language.functions.extended import extended_samples
from rules.language.plan import Plan, ResultKind
from rules.language.reading import Clock, Layout, demands
from rules.language.syntax import RangeSelector, Subquery
from rules.series.protocols import SeriesReader

__all__ = ["EvaluationLimits", "InstantResult", "RangeResult", "evaluate_instant", "evaluate_range"]

DEFAULT_LIMITS = EvaluationLimits()


@dataclass(frozen=True, slots=True)
class InstantResult:
    """An expression at one time.

    Attributes
    ----------
    labels
        Shape (n,). Empty label set for a scalar; nothing for a string.
    values
        Shape (n,) for a vector or scalar. For a matrix the samples of all series, `offsets` tells whose.
    timestamps_ms
        As `values`.
    offsets
        Shape (n + 1,). Samples of element i lie at `offsets[i]:offsets[i + 1]`.
    text
        The value of a string expression.
    """

    kind: ResultKind
    labels: Sequence[LabelSet]
    values: Floats
    timestamps_ms: Ints
    offsets: Ints
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class RangeResult:
    """An expression at each step of a range.

    Attributes
    ----------
    labels
        Shape (n,). In order, as Prometheus sorts series.
    times_ms
        Shape (t,). The steps.
    values, present
        Shape (n, t). A value counts where it is present; each series has one somewhere.
    """

    labels: Sequence[LabelSet]
    times_ms: Ints
    values: Floats
    present: Bools
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    kind: ResultKind = "matrix"


def evaluate_instant(
    plan: Plan, reader: SeriesReader, at_ms: int, limits: EvaluationLimits = DEFAULT_LIMITS
) -> InstantResult:
    """The value of an expression at one time.

    Raises
    ------
    EvaluationError, QueryTooExpensive, QueryTimeout
    """
    root = plan.shape.root
    if plan.kind == "string":
        nothing = np.empty(0, np.int64)
        return InstantResult("string", (), np.empty(0), nothing, np.zeros(1, np.int64), text=literal(root))
    evaluator, times_ms = _prepared(plan, reader, QueryRange(at_ms, at_ms), limits)
    with np.errstate(all="ignore"):
        if isinstance(root, RangeSelector | Subquery):
            return _matrix(evaluator, root, times_ms)
        vector = _final(evaluator, plan, times_ms)
    rows = np.arange(len(vector.rows)) if vector.order is None else vector.order
    rows = rows[vector.present[rows, 0]]
    return InstantResult(
        plan.kind,
        [vector.rows.final_labels(row) for row in rows.tolist()],
        vector.values[rows, 0],
        np.full(len(rows), at_ms, np.int64),
        np.arange(len(rows) + 1),
        tuple(evaluator.run.notes.warnings),
        tuple(evaluator.run.notes.infos),
    )


def evaluate_range(
    plan: Plan, reader: SeriesReader, query: QueryRange, limits: EvaluationLimits = DEFAULT_LIMITS
) -> RangeResult:
    """The values of a vector or scalar expression at each step from `start_ms` to `end_ms`.

    Raises
    ------
    InvalidParameter
        If the expression is a range vector or a string, the step not positive, or the end before the start.
    EvaluationError, QueryTooExpensive, QueryTimeout
    """
    if plan.kind in {"matrix", "string"}:
        kind = {"matrix": "range vector"}.get(plan.kind, plan.kind)
        raise InvalidParameter("query", kind, "Scalar or instant Vector for a range query")
    if query.step_ms <= 0:
        raise InvalidParameter("step_ms", query.step_ms, "a positive number of milliseconds")
    if query.end_ms < query.start_ms:
        raise InvalidParameter("end_ms", query.end_ms, f"a time not before start_ms ({query.start_ms})")
    evaluator, times_ms = _prepared(plan, reader, query, limits)
    with np.errstate(all="ignore"):
        vector = _final(evaluator, plan, times_ms)
    filled = np.flatnonzero(vector.present.any(axis=1)).tolist()
    labelled = sorted((vector.rows.final_labels(row), row) for row in filled)
    rows = np.array([row for _, row in labelled], np.int64)
    return RangeResult(
        [labels for labels, _ in labelled],
        times_ms,
        vector.values[rows],
        vector.present[rows],
        tuple(evaluator.run.notes.warnings),
        tuple(evaluator.run.notes.infos),
    )


def _prepared(
    plan: Plan, reader: SeriesReader, query: QueryRange, limits: EvaluationLimits
) -> tuple[Evaluator, Ints]:
    """An evaluator with the samples that the plan needs at the query's steps."""
    if query.steps > limits.max_samples:
        raise QueryTooExpensive(what="steps", wanted=query.steps, limit=limits.max_samples)
    times_ms = query.times()
    binding = bind([[matchers] for matchers in plan.selectors], 1, reader, limits.max_series)
    for error in binding.failures.values():
        raise error
    needed = list(demands(plan.shape.root, times_ms, Clock(query, limits)))
    requests = binding.requests(needed)
    samples = Layout(requests, query.end_ms).read(reader, requests)
    read = sum(int((part.stops - part.starts).sum()) for part in samples)
    if read > limits.max_samples:
        raise QueryTooExpensive(what="samples", wanted=read, limit=limits.max_samples)
    numbers = np.array([plan.numbers], np.float64).reshape(1, len(plan.numbers))
    run = Run(numbers, [[matchers] for matchers in plan.selectors], samples, binding.singles, query, limits)
    return Evaluator(run), times_ms


def _final(evaluator: Evaluator, plan: Plan, times_ms: Ints) -> Vector:
    """The vector as the result shows it; a scalar becomes one element without labels."""
    root, run = plan.shape.root, evaluator.run
    if plan.kind == "scalar":
        values = evaluator.scalar(root, times_ms)
        vector = Vector(evaluator.run.singles, values, np.ones(values.shape, np.bool_))
    else:
        vector = settled(evaluator.vector(root, times_ms), run, final=True)
    for error in run.failures.values():
        raise error
    return vector


def _matrix(evaluator: Evaluator, root: RangeSelector | Subquery, times_ms: Ints) -> InstantResult:
    """The samples of a range vector at one time."""
    windows = evaluator.windows(root, times_ms)
    series = []
    for row in np.flatnonzero(windows.counts[:, 0]).tolist():
        times, values = _window_samples(windows, row)
        if len(times):
            series.append((windows.samples.rows.final_labels(row), times, values))
    return InstantResult(
        "matrix",
        [labels for labels, _, _ in series],
        np.concatenate([np.empty(0), *(values for _, _, values in series)]),
        np.concatenate([np.empty(0, np.int64), *(times for _, times, _ in series)]),
        np.cumsum([0, *(len(times) for _, times, _ in series)]).astype(np.int64),
        tuple(evaluator.run.notes.warnings),
        tuple(evaluator.run.notes.infos),
    )


def _window_samples(windows: Windows, row: int) -> tuple[Ints, Floats]:
    """Times and values in a row's only window."""
    if windows.extension:
        return extended_samples(windows, row)
    span = slice(windows.low[row, 0], windows.high[row, 0])
    return windows.samples.times_ms[span], windows.samples.values[span]
