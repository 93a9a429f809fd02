"""One tick of one shard: evaluate, move the state machine, and say what changed.

The same function serves live ticks, catching up, back-tests and rule unit tests: live equals replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, LabelSet, fingerprint, label_set, storable
from alertsite.core.samples import Floats, Ints
from rules.evaluation.anomalies import ScoredAnomaly
from rules.evaluation.elements import Elements, concatenate
from rules.evaluation.outcomes import KIND_BITS, TRUNCATED, Outcome, Outcomes
from rules.evaluation.program import Level, PlannedRules, ShardProgram
from rules.evaluation.remote import (
    Answer,
    NobodyAnswers,
    RemoteAnswers,
    RemoteQueries,
    ask_for_tick,
    remote_elements,
)
from rules.evaluation.specs import RuleSpec
from rules.evaluation.states import (
    NEVER,
    ActiveAlerts,
    Change,
    Exceptions,
    Holding,
    State,
    Step,
    advance,
    identity_keys,
)
from rules.language.engine import EvaluationLimits
from rules.series.protocols import SeriesReader

ALERT_NAME = "alertname"
RULE_NAME = "rulename"
"""On alerts that a policy raises: the rule that has no data, or is in error."""
NO_DATA_ALERT = "DatasourceNoData"
ERROR_ALERT = "DatasourceError"


class DuplicateLabelSet(PlatformError):
    """Two elements of a rule's result have the same labels once the rule's own labels are applied."""

    code = "rule.duplicate_label_set"

    def __init__(self, rule: str, labels: LabelSet) -> None:
        super().__init__(f"rule {rule!r} yields the label set {dict(labels)} more than once")


class Expander(Protocol):
    """Fills the templates in labels and annotations."""

    def expand(self, text: str, labels: Mapping[str, str], value: float) -> str:
        """The text with `{{ … }}` replaced.

        Raises
        ------
        PlatformError
            If the template is malformed or fails.
        """


@dataclass(frozen=True, slots=True)
class AlertChange:
    """A change of state with everything people are told about it."""

    change: Change
    spec: RuleSpec
    labels: LabelSet
    annotations: Mapping[str, str]
    value: float
    fingerprint: int
    anomalies: Sequence[ScoredAnomaly] = ()
    """Behind it, where the rule reads scores; known to whoever stores the change, not to the tick."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Results of recording rules. Shape (n,) each."""

    rule: Ints
    label_sets: Sequence[LabelSet]
    values: Floats
    complete: Sequence[int]
    """Recording rules that were evaluated without error: what they wrote before and not now has ended."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything a tick needs from outside."""

    reader: SeriesReader
    limits: EvaluationLimits
    expander: Expander
    publish: Callable[[Tick, Recorded], None]
    """Store what a level recorded and the alerts as they stand. Called after each level, so that the next
    one reads it."""
    remote: RemoteQueries = field(default_factory=NobodyAnswers)
    """Asked once, before the first level."""


@dataclass(slots=True)
class Tick:
    """What one tick came to."""

    at_ms: int
    alerts: ActiveAlerts
    labels: list[LabelSet]
    """Label set of each active alert."""
    origin: Ints
    """Shape (a,): position of each active alert before the tick, or -1."""
    outcomes: Outcomes
    changes: list[AlertChange] = field(default_factory=list)
    touched: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    """Positions before the tick of alerts whose `keep_firing_since_ms` changed and nothing else."""
    errors: dict[int, PlatformError] = field(default_factory=dict)


def run_tick(
    program: ShardProgram,
    before: ActiveAlerts,
    labels: Sequence[LabelSet],
    around: Surroundings,
    at_ms: int,
) -> Tick:
    """Evaluate every rule of the program at one time.

    Parameters
    ----------
    before, labels
        Alerts active before the tick and their label sets, both of length a.

    Returns
    -------
    What is active now, what changed, an outcome for each rule. Rules that failed are in `errors`.
    """
    tick = Tick(
        at_ms=at_ms,
        alerts=before,
        labels=list(labels),
        origin=np.arange(len(before)),
        outcomes=np.zeros(len(program), np.uint8),
        errors=dict(program.errors),
    )
    if program.errors:
        tick.outcomes[list(program.errors)] = Outcome.ERROR
    firing = before.rule[before.fired_at_ms != NEVER]
    answers = ask_for_tick(program, firing, around.remote, at_ms)
    for number, level in enumerate(program.levels):
        _LevelRun(program, level, tick, Outside(around, answers), first=number == 0).run()
    return tick


@dataclass(frozen=True, slots=True)
class Outside:
    """What the levels of one tick share: its surroundings and what remote rules were answered."""

    around: Surroundings
    answers: RemoteAnswers


class _LevelRun:
    """One level within one tick. Steps: evaluate, record, apply policies and recoveries, move states,
    publish.
    """

    def __init__(
        self, program: ShardProgram, level: Level, tick: Tick, outside: Outside, *, first: bool
    ) -> None:
        self._program = program
        self._level = level
        self._tick = tick
        self._around = outside.around
        self._answers = outside.answers
        self._members = np.zeros(len(program), np.bool_)
        for planned in level.conditions:
            self._members[planned.rules] = True
        self._members[level.remote] = True
        if first and program.errors:  # rules that cannot be planned follow their error policy from the start
            self._members[list(program.errors)] = True

    def run(self) -> None:
        """Evaluate the level and move its states on."""
        elements = concatenate(
            [
                *(self._evaluate(planned) for planned in self._level.conditions),
                *self._answered(self._answers.conditions),
            ]
        )
        alerting = self._program.alerting[elements.rule]
        recorded = self._record(elements.at(~alerting))
        elements = self._with_recoveries(self._with_policies(elements.at(alerting)))
        self._move(elements)
        self._around.publish(self._tick, recorded)

    def _evaluate(self, planned: PlannedRules) -> Elements:
        tick, around = self._tick, self._around
        at_ms = tick.at_ms - planned.query_offset_ms
        result = planned.plan.evaluate(around.reader, at_ms, around.limits)
        tick.outcomes[planned.rules[~result.had_data]] = Outcome.NO_DATA
        for position, error in result.errors.items():
            self._fail(int(planned.rules[position]), error)
        return Elements(planned.rules[result.rule], result.fingerprints, result.values, result.labels_of)

    def _answered(self, answers: Mapping[int, Answer | PlatformError]) -> list[Elements]:
        """What the level's remote rules were answered, as one part; no part if it has none."""
        rules = self._level.remote
        return [remote_elements(rules, answers, self._program, self._fail)] if len(rules) else []

    def _fail(self, rule: int, error: PlatformError) -> None:
        self._tick.outcomes[rule] = Outcome.ERROR
        self._tick.errors[rule] = error

    def _record(self, elements: Elements) -> Recorded:
        """Label sets of recording rules' results; a rule that yields one label set twice is an error."""
        seen: set[tuple[int, LabelSet]] = set()
        label_sets: list[LabelSet] = []
        keep: list[int] = []
        for element, rule in enumerate(elements.rule.tolist()):
            spec = self._program.specs[rule]
            labels = label_set({**dict(elements.label(element)), **dict(spec.labels), METRIC_NAME: spec.name})
            if (rule, labels) in seen:
                self._fail(rule, DuplicateLabelSet(spec.name, labels))
                continue
            seen.add((rule, labels))
            keep.append(element)
            label_sets.append(labels)
        kinds = self._tick.outcomes & KIND_BITS
        complete = np.flatnonzero(self._members & ~self._program.alerting & (kinds != Outcome.ERROR))
        return Recorded(elements.rule[keep], label_sets, elements.value[keep], complete.tolist())

    def _unusual(self) -> list[tuple[int, str, bool]]:
        """Alerting rules of the level without data or in error: position, policy, whether in error."""
        kinds = self._tick.outcomes & KIND_BITS
        rules = np.flatnonzero(self._members & self._program.alerting & (kinds != Outcome.OK))
        found = []
        for rule in rules.tolist():
            spec, failed = self._program.specs[rule], bool(kinds[rule] == Outcome.ERROR)
            found.append((rule, spec.error_policy if failed else spec.no_data_policy, failed))
        return found

    def _with_policies(self, elements: Elements) -> Elements:
        """Add the alerts that rules without data, or in error, raise by their policy."""
        rules: list[int] = []
        label_sets: list[LabelSet] = []
        for rule, policy, failed in self._unusual():
            name = ERROR_ALERT if failed else NO_DATA_ALERT
            if policy == "no_data":
                labels = {ALERT_NAME: name, RULE_NAME: self._program.specs[rule].name}
                label_sets.append(label_set(labels))
                rules.append(rule)
            elif policy == "alerting" and not (self._tick.alerts.rule == rule).any():
                label_sets.append(())
                rules.append(rule)
        if not rules:
            return elements
        marks = np.array([fingerprint(labels) for labels in label_sets], np.int64)
        values = np.full(len(rules), np.nan)
        extra = Elements(np.array(rules, np.int64), marks, values, label_sets.__getitem__)
        return concatenate([elements, extra])

    def _with_recoveries(self, elements: Elements) -> Elements:
        """Add elements whose condition ended but whose recovery threshold is not reached, if they fire."""
        firing = self._tick.alerts.at(self._tick.alerts.fired_at_ms != NEVER)
        for planned in self._level.recoveries:
            if not np.isin(planned.rules, firing.rule).any():
                continue
            elements = self._recovering(self._evaluate(planned), elements, firing)
        for candidates in self._answered(self._answers.recoveries):
            elements = self._recovering(candidates, elements, firing)
        return elements

    @staticmethod
    def _recovering(candidates: Elements, elements: Elements, firing: ActiveAlerts) -> Elements:
        """The elements, and those candidates that fire and hold no more."""
        keys = identity_keys(candidates.rule, candidates.fingerprint)
        fires = np.isin(keys, identity_keys(firing.rule, firing.fingerprint))
        holds = np.isin(keys, identity_keys(elements.rule, elements.fingerprint))
        return concatenate([elements, candidates.at(fires & ~holds)])

    def _exceptions(self) -> Exceptions:
        """Rules outside the level stay as they are; those in error or without data do what their policy
        says.
        """
        frozen = ~self._members
        sustained = np.zeros(len(self._program), np.bool_)
        for rule, policy, _ in self._unusual():
            frozen[rule] = policy == "keep_state"
            sustained[rule] = policy == "alerting"
        return Exceptions(frozen, sustained)

    def _move(self, elements: Elements) -> None:
        tick = self._tick
        holding = Holding(elements.rule, elements.fingerprint, elements.value)
        terms = self._program.terms
        step = advance(tick.alerts, holding, terms, self._exceptions(), now_ms=tick.at_ms)
        tick.outcomes[step.truncated] |= TRUNCATED
        fresh = {
            element: self._labels(elements, element) for element in step.element[step.origin < 0].tolist()
        }
        tick.changes.extend(self._describe(change, elements, fresh) for change in step.changes)
        self._take(step, fresh)

    def _take(self, step: Step, fresh: Mapping[int, LabelSet]) -> None:
        """Replace the alerts by those after the step; origins keep pointing to before the first level."""
        tick, labels = self._tick, self._tick.labels
        tick.labels = [
            labels[origin] if origin >= 0 else fresh[element]
            for origin, element in zip(step.origin.tolist(), step.element.tolist(), strict=True)
        ]
        tick.touched = np.concatenate([tick.touched, tick.origin[step.touched]])
        earlier = np.append(tick.origin, -1)  # position -1, a new alert, stays -1
        tick.origin = earlier[step.origin]
        tick.alerts = step.alerts

    def _labels(self, elements: Elements, element: int) -> LabelSet:
        """Labels of a new alert: the result's without its name, the rule's own expanded, and the alert's
        name.
        """
        rule = int(elements.rule[element])
        spec = self._program.specs[rule]
        found = ((storable(name), storable(value)) for name, value in elements.label(element))
        labels = {name: value for name, value in found if name != METRIC_NAME}
        value = float(elements.value[element])
        known = dict(elements.label(element))
        own = {name: self._expanded(text, known, value, rule) for name, text in spec.labels}
        by_policy = labels.get(ALERT_NAME) in {NO_DATA_ALERT, ERROR_ALERT}
        name = labels[ALERT_NAME] if by_policy else spec.name
        return label_set({**labels, **own, ALERT_NAME: name})

    def _describe(self, change: Change, elements: Elements, fresh: Mapping[int, LabelSet]) -> AlertChange:
        tick, spec = self._tick, self._program.specs[change.rule]
        labels = tick.labels[change.origin] if change.origin >= 0 else fresh[change.element]
        if change.element >= 0:
            value, mark = float(elements.value[change.element]), int(elements.fingerprint[change.element])
        else:
            value, mark = float("nan"), int(tick.alerts.fingerprint[change.origin])
        annotations = {}
        if change.state in {State.PENDING, State.FIRING}:
            # The result's own labels, as in Prometheus; an alert that lives on without a result has its own.
            known = dict(elements.label(change.element)) if change.element >= 0 else dict(labels)
            annotations = {
                name: self._expanded(text, known, value, change.rule) for name, text in spec.annotations
            }
        origin = int(tick.origin[change.origin]) if change.origin >= 0 else -1
        return AlertChange(replace(change, origin=origin), spec, labels, annotations, value, mark)

    def _expanded(self, text: str, labels: Mapping[str, str], value: float, rule: int) -> str:
        """The expanded template, or, as in Prometheus, the error in its place: the alert still goes out."""
        if "{{" not in text:
            return text
        try:
            return storable(self._around.expander.expand(text, labels, value))
        except PlatformError as error:
            self._fail(rule, error)
            return storable(f"<error expanding template: {error}>")
