"""Rules of one shape, evaluated as one expression. In: their plans, samples. Out: an `Outcome` for all.

A rule that fails takes none with it: what can be told apart inside the run is recorded there, and a batch
that fails as a whole is evaluated rule by rule.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Floats, Ints
from rules.language.binding import Binding, Change, bind, rebind, touched_rules
from rules.language.errors import EvaluationError, EvaluationFault, QueryTooExpensive
from rules.language.evaluate import Evaluator
from rules.language.frames import EvaluationLimits, QueryRange, Run, Samples, Vector, settled
from rules.language.plan import Plan, Shape
from rules.language.reading import Clock, Demand, demands
from rules.language.rows import Rows, concatenated, one_row_a_rule
from rules.series.protocols import SeriesReader

_LOG = logging.getLogger(__name__)


class Source:
    """The reader of the current tick: rows that live longer than a tick ask it for their labels."""

    reader: SeriesReader

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """As the reader."""
        return self.reader.select(matchers)

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """As the reader."""
        return self.reader.labels(numbers)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one batch gave: the rows that hold, whose they are, and what is known of each rule."""

    rules: Ints
    rows: Rows
    holding: Ints
    values: Floats
    run: Run


class Batch:
    """Rules of one shape."""

    def __init__(self, shape: Shape, rules: Ints, plans: Sequence[Plan]) -> None:
        self._shape = shape
        self._rules = rules
        self._numbers = np.array([plan.numbers for plan in plans], np.float64)
        slots = len(plans[0].selectors)
        self._selectors = [[plan.selectors[slot] for plan in plans] for slot in range(slots)]
        self.binding = Binding([], [], one_row_a_rule(len(plans)))
        self._unreadable: PlatformError | None = None

    def bind(self, source: Source, change: Change | None, limits: EvaluationLimits) -> bool:
        """Resolve the selectors that the change touches, or all of them. False if none had to be."""
        if change is None:
            self.binding = bind(self._selectors, len(self._numbers), source, limits.max_series)
            return True
        touched = touched_rules(self.binding, self._selectors, change)
        if touched:
            self.binding = rebind(self.binding, self._selectors, touched, source, limits.max_series)
        return bool(touched)

    def demands(self, query: QueryRange, limits: EvaluationLimits) -> list[Demand]:
        """What the batch needs from the store at this tick; nothing if its windows cannot be read."""
        self._unreadable = None
        try:
            return list(demands(self._shape.root, query.times(), Clock(query, limits)))
        except PlatformError as error:
            self._unreadable = error
            return []

    def evaluate(self, samples: list[Samples], query: QueryRange, limits: EvaluationLimits) -> Outcome:
        """All rules of the batch; one by one if together they fail."""
        run = Run(self._numbers, self._selectors, samples, self.binding.singles, query, limits)
        run.failures.update(self.binding.failures)
        if self._unreadable:
            for owner in range(run.size):
                run.fail(owner, self._unreadable)
            return self._nothing(run)
        self._refuse_large_reads(run)
        outcome = self._attempt(run)
        if isinstance(outcome, Outcome):
            return outcome
        if run.size > 1:
            return self._apart(run)
        run.fail(0, outcome)
        return self._nothing(run)

    def _attempt(self, run: Run) -> Outcome | PlatformError:
        """What the run gives, or why it gives nothing. A fault of our own stays with the rules it met."""
        try:
            return self._together(run)
        except PlatformError as error:
            return error
        except Exception as error:  # noqa: BLE001 # the loop over rules: recorded on the rule
            _LOG.exception("evaluation of %d rules failed", run.size)
            return EvaluationFault(error)

    def _nothing(self, run: Run) -> Outcome:
        return Outcome(self._rules, one_row_a_rule(0), np.empty(0, np.int64), np.empty(0), run)

    def _refuse_large_reads(self, run: Run) -> None:
        read = np.zeros(run.size, np.int64)
        for part in run.slots:
            read += np.bincount(part.rows.owners, part.stops - part.starts, run.size).astype(np.int64)
        for owner in np.flatnonzero(read > run.limits.max_samples).tolist():
            run.fail(
                owner,
                QueryTooExpensive(what="samples", wanted=int(read[owner]), limit=run.limits.max_samples),
            )

    def _together(self, run: Run) -> Outcome:
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
        return Outcome(self._rules, vector.rows, holding, vector.values[holding, 0], run)

    def _apart(self, run: Run) -> Outcome:
        """Each rule by itself, so that one that is too large fails alone."""
        values, parts = [], []
        for owner in range(run.size):
            alone = _alone(run, owner)
            if owner in run.failures:
                continue
            outcome = self._attempt(alone)
            if isinstance(outcome, PlatformError):
                run.fail(owner, outcome)
                continue
            if alone.failures:
                run.fail(owner, alone.failures[0])
            run.samples_read[owner], run.had_data[owner] = alone.samples_read[0], alone.had_data[0]
            taken = outcome.rows.taken(outcome.holding)
            taken.owners = np.full(len(taken), owner)
            parts.append(taken)
            values.append(outcome.values)
        rows = concatenated(parts) if parts else one_row_a_rule(0)
        return Outcome(self._rules, rows, np.arange(len(rows)), np.concatenate([*values, np.empty(0)]), run)


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
