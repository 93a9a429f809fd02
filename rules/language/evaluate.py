"""The evaluator: walks a plan once, over all rules of a batch and all steps together.

In: an expression of a plan, steps, and a `Run` with the samples its selectors need. Out: a `Vector`, or for a
scalar an array of shape (b, t). Refused: for a rule, what cannot be computed over its series; for the whole
run, `QueryTimeout` and `QueryTooExpensive`.
"""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints, is_stale
from rules.language import joins, operators
from rules.language.aggregates import aggregate
from rules.language.checks import literal
from rules.language.choices import CHOICES, choose, count_values
from rules.language.errors import QueryTooExpensive
from rules.language.frames import Run, Samples, Value, Vector, Windows, settled
from rules.language.functions.calls import call
from rules.language.kernels.extents import latest_positions, smoothed_values, window_extents
from rules.language.reading import Clock
from rules.language.syntax import (
    SET_OPERATORS,
    Aggregate,
    Binary,
    Call,
    Expr,
    Negation,
    Parameter,
    RangeSelector,
    Slot,
    Subquery,
)


class Evaluator:
    """Evaluates the expressions of one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.clock = Clock(run.query, run.limits)

    def vector(self, expr: Expr, times_ms: Ints) -> Vector:
        """The elements of a vector expression at each step."""
        value = self._evaluate(expr, times_ms)
        assert isinstance(value, Vector)
        return value

    def scalar(self, expr: Expr, times_ms: Ints) -> Floats:
        """Shape (b, t). The values of a scalar expression."""
        value = self._evaluate(expr, times_ms)
        assert not isinstance(value, Vector)
        return value

    def _evaluate(self, expr: Expr, times_ms: Ints) -> Value:
        self.run.check_time()
        match expr:
            case Parameter():
                column = self.run.numbers[:, expr.index : expr.index + 1]
                return np.broadcast_to(column, (self.run.size, len(times_ms)))
            case Slot():
                return self._select(expr, times_ms)
            case Call():
                return self._checked(call(self, expr, times_ms))
            case Aggregate():
                return self._aggregate(expr, times_ms)
            case Binary():
                return self._checked(self._binary(expr, times_ms))
            case Negation():
                value = self._evaluate(expr.expr, times_ms)
                return value.with_values(-value.values) if isinstance(value, Vector) else -value
        raise AssertionError(f"no evaluation of {type(expr).__name__}")

    def _checked(self, value: Value) -> Value:
        size = value.values.size if isinstance(value, Vector) else value.size
        if size > self.run.limits.max_samples:
            raise QueryTooExpensive(what="samples", wanted=size, limit=self.run.limits.max_samples)
        return value

    def _select(self, slot: Slot, times_ms: Ints) -> Vector:
        samples = self.run.slots[slot.index]
        if slot.extension:
            return self._select_extended(slot, samples, times_ms)
        at, present = self.latest(slot, samples, times_ms)
        values = samples.values[at] if len(samples.values) else np.zeros(at.shape)
        return Vector(samples.rows, values, present)

    def latest(self, slot: Slot, samples: Samples, times_ms: Ints) -> tuple[Ints, Bools]:
        """Position of the sample that each step sees, and whether it sees one."""
        moments = self.clock.moments(times_ms, slot.at, slot.offset)
        self._expect_room(len(samples.rows) * len(moments))
        at = latest_positions(
            samples.starts, samples.stops, samples.times_ms, moments, self.run.limits.lookback_ms
        )
        present = at >= 0
        at = np.where(present, at, 0)
        if len(samples.values):
            present &= ~is_stale(samples.values[at])
        self.run.count_read(samples.rows, present.sum(axis=1))
        return at, present

    def _select_extended(self, slot: Slot, samples: Samples, times_ms: Ints) -> Vector:
        moments = self.clock.moments(times_ms, slot.at, slot.offset)
        lookback = self.run.limits.lookback_ms
        if slot.extension == "anchored":
            return self._select(Slot(slot.index, slot.offset, slot.at), times_ms)
        extents = window_extents(
            samples.starts, samples.stops, samples.times_ms, moments + lookback, 2 * lookback
        )
        values, known = smoothed_values(extents, samples.times_ms, samples.values, moments)
        self.run.count_read(samples.rows, known.sum(axis=1))
        return Vector(samples.rows, values, known > 0)

    def _expect_room(self, cells: int) -> None:
        if cells > self.run.limits.max_samples:
            raise QueryTooExpensive(what="samples", wanted=cells, limit=self.run.limits.max_samples)

    def windows(self, expr: Expr, times_ms: Ints) -> Windows:
        """The windows of a range selector or subquery at each step."""
        match expr:
            case RangeSelector(selector=Slot() as slot):
                samples = self.run.slots[slot.index]
                moments = self.clock.moments(times_ms, slot.at, slot.offset)
                window = self.clock.duration_ms(expr.window, positive=True)
                extension = slot.extension
            case Subquery():
                samples = self._subquery(expr, times_ms)
                moments = self.clock.moments(times_ms, expr.at, expr.offset)
                window = self.clock.duration_ms(expr.window, positive=True)
                extension = None
            case _:
                raise AssertionError(f"no windows in {type(expr).__name__}")
        self._expect_room(len(samples.rows) * len(moments))
        before = self.run.limits.lookback_ms if extension else 0
        after = self.run.limits.lookback_ms if extension == "smoothed" else 0
        low, high = window_extents(
            samples.starts, samples.stops, samples.times_ms, moments + after, window + before + after
        )
        if isinstance(expr, RangeSelector):
            self.run.count_read(samples.rows, (high - low).sum(axis=1))
        return Windows(samples, low, high, moments, window, extension)

    def _subquery(self, expr: Subquery, times_ms: Ints) -> Samples:
        """An inner expression's elements as samples at the inner steps."""
        inner_ms = self.clock.inner_times(expr, times_ms)
        inner = settled(self.vector(expr.expr, inner_ms), self.run)
        counts = inner.present.sum(axis=1)
        stops = np.cumsum(counts)
        times = np.broadcast_to(inner_ms, inner.present.shape)[inner.present]
        return Samples(inner.rows, stops - counts, stops, times, inner.values[inner.present])

    def _binary(self, expr: Binary, times_ms: Ints) -> Value:
        left, right = self._evaluate(expr.left, times_ms), self._evaluate(expr.right, times_ms)
        if isinstance(left, Vector) and isinstance(right, Vector):
            if expr.op in SET_OPERATORS:
                assert expr.matching is not None
                return settled(joins.set_operation(expr.op, left, right, expr.matching), self.run)
            return joins.join(expr, left, right, self.run)
        if isinstance(left, Vector):
            assert not isinstance(right, Vector)
            return operators.vector_and_scalar(
                expr.op, left, right, swapped=False, return_bool=expr.return_bool
            )
        if isinstance(right, Vector):
            return operators.vector_and_scalar(
                expr.op, right, left, swapped=True, return_bool=expr.return_bool
            )
        return operators.scalars(expr.op, left, right)

    def _aggregate(self, expr: Aggregate, times_ms: Ints) -> Vector:
        vector = self.vector(expr.expr, times_ms)
        if expr.op == "count_values":
            assert expr.parameter is not None
            return count_values(expr, vector, literal(expr.parameter))
        parameter = None if expr.parameter is None else self.scalar(expr.parameter, times_ms)
        if expr.op in CHOICES:
            assert parameter is not None
            return choose(expr, vector, parameter, self.run)
        return aggregate(expr, vector, parameter, self.run)
