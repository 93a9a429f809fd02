"""Questions of back-tests, answered from ranges that are fetched once. In: ticks. Out: an answer a tick.

A range query is evaluated at each of its steps as a query at that time would be, so a replay gives what live
ticks gave, at one request for thousands of ticks. `@ start()` and `@ end()` alone mean something else in a
range: such expressions are asked tick by tick.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from rules.datasources.answers import DatasourceFailed
from rules.datasources.client import PrometheusClient
from rules.evaluation.remote import Answer, NoDatasource, Question
from rules.language.engine import EvaluationLimits
from rules.language.errors import QueryTimeout, QueryTooExpensive
from rules.language.format import format_expr
from rules.language.parser import parse

MAX_STEPS: Final = 11_000
"""Points of a series in one answer, as Prometheus bounds them."""
_OF_THE_RANGE: Final = re.compile(r"@ (?:start|end)\(\)")


@dataclass(slots=True)
class RangedQueries:
    """Answers for the ticks of one replay. Clients as for live ticks."""

    clients: Mapping[str, PrometheusClient | PlatformError]
    ticks: range
    limits: EvaluationLimits
    samples: int = 0
    _answers: dict[tuple[str, str], dict[int, Answer | PlatformError]] = field(default_factory=dict)

    def over(self, ticks: range) -> RangedQueries:
        """For other ticks, with the same limits."""
        return RangedQueries(self.clients, ticks, self.limits)

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer | PlatformError]:
        """An answer to each question, or why there is none.

        Raises
        ------
        QueryTooExpensive
            If the answers have more samples than a query may read.
        QueryTimeout
        """
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer | PlatformError:
        known = self._answers.setdefault((question.datasource, question.expr), {})
        if question.at_ms not in known:
            wanted = range(question.at_ms, max(question.at_ms, self.ticks[-1]) + 1, self.ticks.step)
            known.update(self._fetched(question, wanted))
        return known[question.at_ms]

    def _fetched(self, question: Question, wanted: range) -> dict[int, Answer | PlatformError]:
        client = self.clients.get(question.datasource)
        if client is None:
            client = NoDatasource(f"datasource {question.datasource!r} is gone")
        if isinstance(client, PlatformError):
            return dict.fromkeys(wanted, client)
        span = 1 if _OF_THE_RANGE.search(format_expr(parse(question.expr))) else MAX_STEPS
        found: dict[int, Answer | PlatformError] = {}
        for first in range(0, len(wanted), span):
            part = wanted[first : first + span]
            if self.limits.out_of_time():
                raise QueryTimeout
            try:
                found |= self._part(client, question.expr, part)
            except DatasourceFailed as error:
                return found | dict.fromkeys(wanted[first:], error)
        return found

    def _part(self, client: PrometheusClient, expr: str, part: range) -> Mapping[int, Answer]:
        label_sets: dict[int, list[LabelSet]] = {at_ms: [] for at_ms in part}
        values: dict[int, list[float]] = {at_ms: [] for at_ms in part}
        for labels, times_ms, series in client.over(expr, part):
            self.samples += len(times_ms)
            if self.samples > self.limits.max_samples:
                raise QueryTooExpensive(what="samples", wanted=self.samples, limit=self.limits.max_samples)
            for at_ms, value in zip(times_ms, series.tolist(), strict=True):
                if at_ms not in values:
                    raise DatasourceFailed(f"the answer has a time that was not asked for: {at_ms} ms")
                label_sets[at_ms].append(labels)
                values[at_ms].append(value)
        return {at_ms: Answer(label_sets[at_ms], np.array(values[at_ms], np.float64)) for at_ms in part}
