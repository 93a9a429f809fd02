"""What travels between operations: vectors over steps, windows over samples, and the state of one run.

A run evaluates one plan for a *batch* of rules of the same shape. Scalars have a row a rule, vectors rows
of all rules, windows a row a series; a single query is a batch of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import Matcher
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.errors import EvaluationError, QueryTimeout
from rules.language.rows import Rows

_CELLS_AT_ONCE = 1 << 20
"""Windows that a function handles in one go: its intermediate arrays are 8 MB each."""
SAME_LABELS = "vector cannot contain metrics with the same labelset"


def _always_in_time() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class EvaluationLimits:
    """What one query may cost, and how it looks back."""

    max_samples: int = 50_000_000
    """Samples read from the store, and elements of any intermediate result."""
    max_series: int = 1_000_000
    """Series that all selectors of the query find together."""
    out_of_time: Callable[[], bool] = _always_in_time
    """Asked between operations; once it says yes, the query stops with `QueryTimeout`."""
    lookback_ms: int = 300_000
    """How old the newest sample may be for an instant selector to see it."""
    subquery_step_ms: int = 60_000
    """Step of subqueries that name none."""


@dataclass(frozen=True, slots=True)
class QueryRange:
    """The steps of the whole query, milliseconds. An instant query has one step and `step_ms` zero."""

    start_ms: int
    end_ms: int
    step_ms: int = 0

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return (self.end_ms - self.start_ms) // self.step_ms + 1 if self.step_ms else 1

    def times(self) -> Ints:
        """Shape (t,). The steps."""
        if self.step_ms == 0:
            return np.array([self.start_ms], np.int64)
        return np.arange(self.start_ms, self.end_ms + 1, self.step_ms, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Vector:
    """Elements over steps.

    Attributes
    ----------
    values, present
        Shape (n, t). A value counts where it is present.
    order
        Rows in the order of the result of an instant query, where an operation gives one.
    """

    rows: Rows
    values: Floats
    present: Bools
    order: Ints | None = None

    def with_values(self, values: Floats, present: Bools | None = None) -> Vector:
        """Other values for rows that are no longer the metric they came from."""
        return Vector(self.rows.dropped(), values, self.present if present is None else present)


Value: TypeAlias = Vector | Floats
"""What an expression evaluates to: elements, or for a scalar an array of shape (b, t)."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Series of a selector or subquery in a flat run of samples.

    Attributes
    ----------
    starts, stops
        Shape (n,). Bounds of each row in `times_ms` and `values`.
    """

    rows: Rows
    starts: Ints
    stops: Ints
    times_ms: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows over samples: for row i and step j the samples at `low[i, j] … high[i, j]`.

    Attributes
    ----------
    ends_ms
        Shape (t,). Where each window ends, offset and `@` counted in.
    window_ms
        Length of the window as written; anchored and smoothed windows hold samples beyond it.
    """

    samples: Samples
    low: Ints
    high: Ints
    ends_ms: Ints
    window_ms: int
    extension: str | None = None

    @property
    def counts(self) -> Ints:
        """Shape (n, t). Samples in each window."""
        return self.high - self.low

    def parts(self) -> Iterator[Windows]:
        """The same windows, a part of the rows at a time, so that intermediate arrays stay small."""
        at_once = max(1, _CELLS_AT_ONCE // max(1, self.low.shape[1]))
        if len(self.low) <= at_once:
            yield self
            return
        for start in range(0, len(self.low), at_once):
            part = slice(start, start + at_once)
            rows = self.samples.rows.taken(np.arange(*part.indices(len(self.low))))
            samples = replace(
                self.samples, rows=rows, starts=self.samples.starts[part], stops=self.samples.stops[part]
            )
            yield replace(self, samples=samples, low=self.low[part], high=self.high[part])


@dataclass(slots=True)
class Notes:
    """What a person should know about a result that is no error. Each is told once."""

    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Something is probably wrong."""
        self.warnings[f"PromQL warning: {text}"] = None

    def inform(self, text: str) -> None:
        """Something may be worth a look."""
        self.infos[f"PromQL info: {text}"] = None


@dataclass(slots=True)
class Run:
    """One evaluation of a batch of rules that share a plan.

    Attributes
    ----------
    numbers
        Shape (b, k). The literal numbers of each rule.
    selectors
        For each selector the matchers of each rule.
    slots
        For each selector the samples that the store gave.
    singles
        One row without labels for each rule.
    failures
        By rule, the first error it met. The others go on; what a failed rule computes is thrown away.
    had_data, samples_read
        Shape (b,). Whether a selector of the rule saw a sample, and how many they saw.
    """

    numbers: Floats
    selectors: Sequence[Sequence[tuple[Matcher, ...]]]
    slots: list[Samples]
    singles: Rows
    query: QueryRange
    limits: EvaluationLimits
    notes: Notes = field(default_factory=Notes)
    failures: dict[int, PlatformError] = field(default_factory=dict)
    had_data: Bools = field(init=False)
    samples_read: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.had_data = np.zeros(self.size, np.bool_)
        self.samples_read = np.zeros(self.size, np.int64)

    @property
    def size(self) -> int:
        """Rules in the batch."""
        return len(self.numbers)

    def fail(self, owner: int, error: PlatformError | str) -> None:
        """Record a rule's error unless it has one already."""
        self.failures.setdefault(owner, EvaluationError(error) if isinstance(error, str) else error)

    def fail_all(self, owners: Ints, reason: str) -> None:
        """Record the same error for several rules."""
        for owner in np.unique(owners).tolist():
            self.fail(owner, reason)

    def count_read(self, rows: Rows, counts: Ints) -> None:
        """Count samples seen by each row: shape (n,)."""
        if self.size == 1:
            total = int(counts.sum())
            self.samples_read[0] += total
            self.had_data[0] |= total > 0
            return
        read = np.bincount(rows.owners, counts, self.size).astype(np.int64)
        self.samples_read += read
        self.had_data |= read > 0

    def check_time(self) -> None:
        """Stop the run once its time is spent."""
        if self.limits.out_of_time():
            raise QueryTimeout


def settled(vector: Vector, run: Run, *, final: bool = False) -> Vector:
    """The vector with rows of equal label sets merged: they may take turns, but not meet at one step."""
    equals = vector.rows.equals(final=final)
    if equals is None:
        return vector
    groups, merged = equals
    shape = (len(merged), vector.values.shape[1])
    meeting = np.zeros(shape, np.int64)
    np.add.at(meeting, groups, vector.present)
    if meeting.max(initial=0) > 1:
        run.fail_all(merged.owners[(meeting > 1).any(axis=1)], SAME_LABELS)
    values = np.zeros(shape)
    row, step = np.nonzero(vector.present)
    values[groups[row], step] = vector.values[row, step]
    return Vector(merged, values, meeting > 0, _merged_order(vector.order, groups))


def _merged_order(order: Ints | None, groups: Ints) -> Ints | None:
    if order is None:
        return None
    return np.array(list(dict.fromkeys(groups[order].tolist())), np.int64)
