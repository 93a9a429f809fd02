"""Rules of one shape, evaluated as one expression. In: their plans, samples. Out: an `Outcome` for all.

A rule that fails takes none with it: what can be told apart inside the run is recorded there, and a batch
that fails as a whole is halved until the rules that fail stand alone.
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
from rules.language.errors import EvaluationError, EvaluationFault, QueryTimeout, QueryTooExpensive
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
        """What the batch needs from the store at this tick; nothing if it cannot be evaluated at all."""
        self._unreadable = None
        if self._shape.kind not in {"vector", "scalar"}:
            self._unreadable = EvaluationError(
                f"a rule takes an instant vector or a scalar, not a {self._shape.kind}"
            )
            return []
        try:
            return list(demands(self._shape.root, query.times(), Clock(query, limits)))
        except PlatformError as error:
            self._unreadable = error
            return []

    def evaluate(self, samples: list[Samples], query: QueryRange, limits: EvaluationLimits) -> Outcome:
        """All rules of the batch, whatever fails among them."""
        run = Run(self._numbers, self._selectors, samples, self.binding.singles, query, limits)
        run.failures.update(self.binding.failures)
        if self._unreadable:
            _fail_all(run, 0, run.size, self._unreadable)
            return self._collected(run, [])
        self._refuse_large_reads(run)
        outcome = self._attempt(run)
        return outcome if isinstance(outcome, Outcome) else self._divided(run, outcome)

    def _attempt(self, run: Run) -> Outcome | PlatformError:
        """What the run gives, or why it gives nothing. A fault of our own stays with the rules it met."""
        try:
            return self._together(run)
        except PlatformError as error:
            return error
        except Exception as error:  # noqa: BLE001 # the loop over rules: recorded on the rule
            _LOG.exception("evaluation of %d rules failed", run.size)
            return EvaluationFault(error)

    def _refuse_large_reads(self, run: Run) -> None:
        if sum(int((part.stops - part.starts).sum()) for part in run.slots) <= run.limits.max_samples:
            return
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
        if self._shape.kind == "scalar":
            values = evaluator.scalar(root, times_ms)
            vector = Vector(run.singles, values, np.ones(values.shape, np.bool_))
        else:
            vector = settled(evaluator.vector(root, times_ms), run, final=True)
        holding = np.flatnonzero(vector.present[:, 0])
        if run.failures:
            failed = np.fromiter(run.failures, np.int64)
            holding = holding[~np.isin(vector.rows.owners[holding], failed)]
        return Outcome(self._rules, vector.rows, holding, vector.values[holding, 0], run)

    def _divided(self, run: Run, error: PlatformError) -> Outcome:
        """The batch after it failed as a whole: halved until the rules that fail stand alone."""
        pieces: list[tuple[Rows, Floats]] = []
        waiting = [(0, run.size, error)]
        while waiting:
            first, last, error = waiting.pop()
            if last - first <= 1 or isinstance(error, QueryTimeout):
                _fail_all(run, first, last, error)
                continue
            middle = (first + last) // 2
            for low, high in ((first, middle), (middle, last)):
                part = _part(run, low, high)
                outcome = self._attempt(part)
                if isinstance(outcome, Outcome):
                    pieces.append(_merged(run, outcome, low, high))
                else:
                    waiting.append((low, high, outcome))
        return self._collected(run, pieces)

    def _collected(self, run: Run, pieces: list[tuple[Rows, Floats]]) -> Outcome:
        rows = concatenated([rows for rows, _ in pieces]) if pieces else one_row_a_rule(0)
        values = np.concatenate([np.empty(0), *(values for _, values in pieces)])
        return Outcome(self._rules, rows, np.arange(len(rows)), values, run)


def _fail_all(run: Run, first: int, last: int, error: PlatformError) -> None:
    for owner in range(first, last):
        run.fail(owner, error)


def _part(run: Run, first: int, last: int) -> Run:
    """The run of the rules from `first` to before `last`, numbered from zero."""
    slots = []
    for samples in run.slots:
        # Rows stand in order of their rules.
        low, high = np.searchsorted(samples.rows.owners, [first, last]).tolist()
        rows = samples.rows.taken(np.arange(low, high))
        rows.owners = rows.owners - first
        slots.append(
            Samples(rows, samples.starts[low:high], samples.stops[low:high], samples.times_ms, samples.values)
        )
    part = Run(
        run.numbers[first:last],
        [of_slot[first:last] for of_slot in run.selectors],
        slots,
        one_row_a_rule(last - first),
        run.query,
        run.limits,
    )
    part.failures.update({o - first: e for o, e in run.failures.items() if first <= o < last})
    return part


def _merged(run: Run, outcome: Outcome, first: int, last: int) -> tuple[Rows, Floats]:
    """What holds of a part, as rows of the whole run; what is known of its rules goes to the run."""
    run.samples_read[first:last] = outcome.run.samples_read
    run.had_data[first:last] = outcome.run.had_data
    for owner, error in outcome.run.failures.items():
        run.fail(first + owner, error)
    rows = outcome.rows.taken(outcome.holding)
    rows.owners = rows.owners + first
    return rows, outcome.values
