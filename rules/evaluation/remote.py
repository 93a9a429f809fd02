"""Rules whose query is answered elsewhere: what is asked, and what answers become.

In: a program, what fires now, who answers. Out: elements of remote rules, or why there are none. An answer is
a vector as Prometheus gives it to a query at one time; everything after it is a tick like any other. Nothing
is refused here: a question that failed is an error of the rules that asked it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, fingerprint, without_name
from alertsite.core.samples import Floats, Ints
from rules.evaluation.elements import Elements, concatenate
from rules.evaluation.program import ShardProgram
from rules.evaluation.specs import RuleSpec


class SameLabels(PlatformError):
    """Two series of an answer are one once the metric name is dropped."""

    code = "datasource.same_labels"


@dataclass(frozen=True, slots=True)
class Question:
    """An expression that a datasource is asked for its value at one time."""

    datasource: str
    expr: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An instant vector. Shape (n,) each."""

    label_sets: Sequence[LabelSet]
    values: Floats


class RemoteQueries(Protocol):
    """Whoever answers: over HTTP in live ticks, from what was fetched before in back-tests."""

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer | PlatformError]:
        """An answer to each question, or why there is none. Takes a bounded time for all together."""


class NoDatasource(PlatformError):
    """A rule is to be answered elsewhere, and nobody is there to ask."""

    code = "datasource.absent"


class NobodyAnswers:
    """For ticks without datasources."""

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer | PlatformError]:
        """No answer."""
        return [NoDatasource(f"datasource {question.datasource!r} is not known") for question in questions]


@dataclass(frozen=True, slots=True)
class RemoteAnswers:
    """Everything that was asked for one tick, before the first level."""

    conditions: Mapping[int, Answer | PlatformError] = field(default_factory=dict)
    """By the rule's position."""
    recoveries: Mapping[int, Answer | PlatformError] = field(default_factory=dict)


def ask_for_tick(program: ShardProgram, firing: Ints, remote: RemoteQueries, at_ms: int) -> RemoteAnswers:
    """Ask what the program's remote rules need, each distinct question once.

    Parameters
    ----------
    firing
        Positions of the rules that have firing alerts: they alone need their recovery thresholds.
    """
    if not len(program.remote):
        return RemoteAnswers()
    fires = set(firing.tolist())
    conditions = {rule: _question(spec, spec.expr, at_ms) for rule, spec in _specs(program)}
    recoveries = {
        rule: _question(spec, spec.recovery_expr, at_ms)
        for rule, spec in _specs(program)
        if spec.recovery_expr and rule in fires
    }
    distinct = list(dict.fromkeys([*conditions.values(), *recoveries.values()]))
    answers = dict(zip(distinct, remote.ask(distinct), strict=True))
    return RemoteAnswers(
        {rule: answers[question] for rule, question in conditions.items()},
        {rule: answers[question] for rule, question in recoveries.items()},
    )


def _specs(program: ShardProgram) -> list[tuple[int, RuleSpec]]:
    return [(rule, program.specs[rule]) for rule in program.remote.tolist()]


def _question(spec: RuleSpec, expr: str, at_ms: int) -> Question:
    return Question(spec.datasource, expr, at_ms - spec.query_offset_ms)


def remote_elements(
    rules: Ints,
    answers: Mapping[int, Answer | PlatformError],
    program: ShardProgram,
    fail: Callable[[int, PlatformError], None],
) -> Elements:
    """What the answers of these rules hold, in their order; `fail` is told of those that have none."""
    parts = []
    for rule in rules.tolist():
        answer = answers.get(rule)
        if isinstance(answer, Answer):
            try:
                parts.append(_elements(rule, answer, alerting=bool(program.alerting[rule])))
            except SameLabels as error:
                fail(rule, error)
        elif answer is not None:
            fail(rule, answer)
    return concatenate(parts)


def _elements(rule: int, answer: Answer, *, alerting: bool) -> Elements:
    nameless = [without_name(labels) for labels in answer.label_sets]
    prints = np.array([fingerprint(labels) for labels in nameless], np.int64)
    if alerting and len(np.unique(prints)) != len(prints):
        raise SameLabels("the answer has series that differ in their metric names alone")
    label_sets = answer.label_sets
    return Elements(np.full(len(prints), rule, np.int64), prints, answer.values, label_sets.__getitem__)
