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
from alertsite.core.labels import LabelSet, fingerprint, without_name
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.batch import Batch, Outcome, Source
from rules.language.binding import Change
from rules.language.frames import EvaluationLimits, QueryRange, Samples
from rules.language.plan import Plan, Shape
from rules.language.reading import Demand, Layout
from rules.language.rows import Rows
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
            Batch(shape, np.array(rules, np.int64), [plans[rule] for rule in rules])
            for shape, rules in by_shape.items()
        ]
        self._source = Source()
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
        needed = [batch.demands(query, limits) for batch in self._batches]
        samples = self._read(reader, needed, at_ms)
        with np.errstate(all="ignore"):  # infinities and NaN are values like others
            outcomes = [
                batch.evaluate(part, query, limits)
                for batch, part in zip(self._batches, samples, strict=True)
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
        key = [[(d.start_ms - at_ms, d.end_ms - at_ms, d.whole) for d in part] for part in needed]
        requests = [
            request
            for batch, part in zip(self._batches, needed, strict=True)
            for request in batch.binding.requests(part)
        ]
        if self._layout is None or key != self._layout_key:
            self._layout, self._layout_key = Layout(requests, at_ms), key
        found = iter(self._layout.read(reader, requests))
        return [[next(found) for _ in part] for part in needed]


def _gathered(outcomes: Sequence[Outcome], count: int) -> ShardResult:
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
