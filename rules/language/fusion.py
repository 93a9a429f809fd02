"""Many rules at one time: the live tick. In: plans, a reader, a time. Out: all results together, columnar.

Rules of one shape are one batch and evaluated as one expression; all batches share one read of the store (one
a class of window length). What depends on the set of series alone is made once for each generation of the
store: a quiet tick is arithmetic. A rule that fails is recorded and disturbs no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, Matcher, fingerprint, without_name
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.binding import Binding, Change, bind, rebind, touched_rules
from rules.language.errors import EvaluationError, QueryTooExpensive
from rules.language.evaluate import Evaluator
from rules.language.frames import EvaluationLimits, QueryRange, Run, Samples, Vector, settled
from rules.language.plan import Plan, Shape
from rules.language.reading import Clock, Demand, Layout, demands
from rules.language.rows import Rows, concatenated, one_row_a_rule
from rules.series.protocols import SeriesReader

DEFAULT_LIMITS = EvaluationLimits()
_UNKNOWN = -1
_MANY_ARRIVALS = 1000
"""With more new series than this at once, all selectors are resolved anew."""


@dataclass(frozen=True, slots=True)
class ShardResult:
    """Results of all rules of a shard at one time.

    Attributes
    ----------
    rule, values, fingerprints
        Shape (h,). For each element its rule (ascending), its value, and the fingerprint of its label set
        without the metric name.
    had_data
        Shape (r,). Whether any selector of the rule saw a sample.
    samples_read
        Shape (r,). How many samples its selectors saw.
    errors
        By rule. Such a rule has no elements.
    """

    rule: Ints
    values: Floats
    fingerprints: Ints
    had_data: Bools
    samples_read: Ints
    errors: Mapping[int, PlatformError]
    _label_sets: Callable[[int], LabelSet] = field(repr=False)

    def labels_of(self, element: int) -> LabelSet:
        """The label set of an element as PromQL returns it. Made when asked for."""
        return self._label_sets(element)


class ShardPlan:
    """The plans of a shard's rules, ready to be evaluated together, tick after tick.

    Not safe for threads. Keeps matchers and numbers of the plans, not the plans.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        by_shape: dict[Shape, list[int]] = {}
        for rule, plan in enumerate(plans):
            by_shape.setdefault(plan.shape, []).append(rule)
        self._count = len(plans)
        self._batches = [
            _Batch(shape, np.array(rules, np.int64), [plans[rule] for rule in rules])
            for shape, rules in by_shape.items()
        ]
        self._source = _Source()
        self._generation: int | None = None
        self._numbers: Ints | None = None
        self._layout: Layout | None = None
        self._layout_key: object = None

    def evaluate(
        self, reader: SeriesReader, at_ms: int, limits: EvaluationLimits = DEFAULT_LIMITS
    ) -> ShardResult:
        """All rules at one time, with one read of the store."""
        self._bind(reader, limits)
        query = QueryRange(at_ms, at_ms)
        needed = [batch.demands(Clock(query, limits)) for batch in self._batches]
        samples = self._read(reader, needed, at_ms)
        outcomes = [
            batch.evaluate(part, query, limits) for batch, part in zip(self._batches, samples, strict=True)
        ]
        return _gathered(outcomes, self._count)

    def _bind(self, reader: SeriesReader, limits: EvaluationLimits) -> None:
        """Resolve selectors if the store has other series than before: those that may find others."""
        generation = reader.generation()
        self._source.reader = reader
        if generation == self._generation:
            return
        numbers = reader.select(())
        change = None
        if self._numbers is not None and len(numbers) - len(self._numbers) < _MANY_ARRIVALS:
            change = Change.between(self._numbers, numbers, reader)
        for batch in self._batches:
            if batch.bind(self._source, change, limits):
                self._layout = None
        self._generation, self._numbers = generation, numbers

    def _read(self, reader: SeriesReader, needed: list[list[Demand]], at_ms: int) -> list[list[Samples]]:
        key = [(d.start_ms - at_ms, d.end_ms - at_ms, d.whole) for batch in needed for d in batch]
        requests = [
            request
            for batch, part in zip(self._batches, needed, strict=True)
            for request in batch.binding.requests(part)
        ]
        if self._layout is None or key != self._layout_key:
            self._layout, self._layout_key = Layout(requests, at_ms), key
        found = iter(self._layout.read(reader, requests))
        return [[next(found) for _ in batch.binding.numbers] for batch in self._batches]


class _Source:
    """The reader of the current tick: rows that live longer than a tick ask it for their labels."""

    reader: SeriesReader

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """As the reader."""
        return self.reader.select(matchers)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """As the reader."""
        return self.reader.labels(numbers)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one batch gave: the rows that hold, whose they are, and what is known of each rule."""

    rules: Ints
    rows: Rows
    holding: Ints
    values: Floats
    run: Run


class _Batch:
    """Rules of one shape."""

    def __init__(self, shape: Shape, rules: Ints, plans: Sequence[Plan]) -> None:
        self._shape = shape
        self._rules = rules
        self._numbers = np.array([plan.numbers for plan in plans], np.float64)
        slots = len(plans[0].selectors)
        self._selectors = [[plan.selectors[slot] for plan in plans] for slot in range(slots)]
        self.binding = Binding([], [], one_row_a_rule(len(plans)))

    def bind(self, source: _Source, change: Change | None, limits: EvaluationLimits) -> bool:
        """Resolve the selectors that the change touches, or all of them. False if none had to be."""
        if change is None:
            self.binding = bind(self._selectors, len(self._numbers), source, limits.max_series)
            return True
        touched = touched_rules(self.binding, self._selectors, change)
        if touched:
            self.binding = rebind(self.binding, self._selectors, touched, source, limits.max_series)
        return bool(touched)

    def demands(self, clock: Clock) -> list[Demand]:
        """What the batch needs from the store at this tick."""
        return list(demands(self._shape.root, clock.query.times(), clock))

    def evaluate(self, samples: list[Samples], query: QueryRange, limits: EvaluationLimits) -> _Outcome:
        """All rules of the batch; one by one if together they are too much."""
        run = Run(self._numbers, self._selectors, samples, self.binding.singles, query, limits)
        run.failures.update(self.binding.failures)
        self._refuse_large_reads(run)
        try:
            return self._together(run)
        except PlatformError as error:
            if run.size == 1:
                run.fail(0, error)
                return _Outcome(self._rules, one_row_a_rule(0), *_nothing(), run)
        return self._apart(run)

    def _refuse_large_reads(self, run: Run) -> None:
        read = np.zeros(run.size, np.int64)
        for part in run.slots:
            read += np.bincount(part.rows.owners, part.stops - part.starts, run.size).astype(np.int64)
        for owner in np.flatnonzero(read > run.limits.max_samples).tolist():
            run.fail(
                owner,
                QueryTooExpensive(what="samples", wanted=int(read[owner]), limit=run.limits.max_samples),
            )

    def _together(self, run: Run) -> _Outcome:
        evaluator, times_ms, root = Evaluator(run), run.query.times(), self._shape.root
        with np.errstate(all="ignore"):
            if self._shape.kind == "vector":
                vector = settled(evaluator.vector(root, times_ms), run, final=True)
            elif self._shape.kind == "scalar":
                values = evaluator.scalar(root, times_ms)
                vector = Vector(run.singles, values, np.ones(values.shape, np.bool_))
            else:
                raise EvaluationError(f"a rule takes an instant vector or a scalar, not a {self._shape.kind}")
        holding = np.flatnonzero(vector.present[:, 0])
        if run.failures:
            failed = np.fromiter(run.failures, np.int64)
            holding = holding[~np.isin(vector.rows.owners[holding], failed)]
        return _Outcome(self._rules, vector.rows, holding, vector.values[holding, 0], run)

    def _apart(self, run: Run) -> _Outcome:
        """Each rule by itself, so that one that is too large fails alone."""
        values, parts = [], []
        for owner in range(run.size):
            alone = _alone(run, owner)
            if owner in run.failures:
                continue
            try:
                outcome = self._together(alone)
            except PlatformError as error:
                run.fail(owner, error)
                continue
            if alone.failures:
                run.fail(owner, alone.failures[0])
            run.samples_read[owner], run.had_data[owner] = alone.samples_read[0], alone.had_data[0]
            taken = outcome.rows.taken(outcome.holding)
            taken.owners = np.full(len(taken), owner)
            parts.append(taken)
            values.append(outcome.values)
        rows = concatenated(parts) if parts else one_row_a_rule(0)
        return _Outcome(self._rules, rows, np.arange(len(rows)), np.concatenate([*values, np.empty(0)]), run)


def _nothing() -> tuple[Ints, Floats]:
    return np.empty(0, np.int64), np.empty(0)


def _alone(run: Run, owner: int) -> Run:
    """The run of one rule of a batch."""
    slots = []
    for samples in run.slots:
        mine = np.flatnonzero(samples.rows.owners == owner)
        rows = samples.rows.taken(mine)
        rows.owners = np.zeros(len(mine), np.int64)
        slots.append(
            Samples(rows, samples.starts[mine], samples.stops[mine], samples.times_ms, samples.values)
        )
    numbers = run.numbers[owner : owner + 1]
    return Run(
        numbers,
        [[of_slot[owner]] for of_slot in run.selectors],
        slots,
        one_row_a_rule(1),
        run.query,
        run.limits,
    )


def _gathered(outcomes: Sequence[_Outcome], count: int) -> ShardResult:
    """The outcomes of all batches as one result, in order of rules."""
    had_data, samples_read = np.zeros(count, np.bool_), np.zeros(count, np.int64)
    errors: dict[int, PlatformError] = {}
    for outcome in outcomes:
        had_data[outcome.rules] = outcome.run.had_data
        samples_read[outcome.rules] = outcome.run.samples_read
        errors.update({int(outcome.rules[owner]): error for owner, error in outcome.run.failures.items()})
    rules = [outcome.rules[outcome.rows.owners[outcome.holding]] for outcome in outcomes]
    rule = np.concatenate([*rules, np.empty(0, np.int64)])
    batch = np.repeat(np.arange(len(outcomes)), [len(part) for part in rules])
    row = np.concatenate([*(outcome.holding for outcome in outcomes), np.empty(0, np.int64)])
    values = np.concatenate([*(outcome.values for outcome in outcomes), np.empty(0)])
    prints = np.concatenate([*(_fingerprints(o.rows, o.holding) for o in outcomes), np.empty(0, np.int64)])
    order = np.argsort(rule, kind="stable")
    batch, row = batch[order], row[order]

    def label_sets(element: int) -> LabelSet:
        rows: Rows = outcomes[batch[element]].rows
        return rows.final_labels(int(row[element]))

    return ShardResult(rule[order], values[order], prints[order], had_data, samples_read, errors, label_sets)


def _fingerprints(rows: Rows, holding: Ints) -> Ints:
    """Shape (h,). Fingerprints of these rows, remembered by the rows; made for no other."""
    known = rows.memo("fingerprints", lambda: np.full(len(rows), _UNKNOWN, np.int64))
    for row in holding[known[holding] == _UNKNOWN].tolist():
        known[row] = fingerprint(without_name(rows.final_labels(row)))
    return known[holding]
