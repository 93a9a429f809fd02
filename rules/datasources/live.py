"""Questions of live ticks, asked of several servers at once. In: questions. Out: answers, in a bounded time.

Each server is asked by threads of its own, so that a slow one delays no other. A server that could not be
reached is not tried again in the same pass, and no pass waits longer than its allowance, whatever is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

from alertsite.core.errors import PlatformError
from rules.datasources.answers import DatasourceFailed
from rules.datasources.client import DatasourceUnreachable, PrometheusClient
from rules.evaluation.remote import Answer, NoDatasource, Question

THREADS_EACH: Final = 4
"""Requests under way to one server at a time."""


@dataclass(slots=True)
class Allowance:
    """What a pass over a batch of shards may wait for datasources, all its ticks together."""

    budget_s: float
    monotonic: Callable[[], float]
    silent: set[str] = field(default_factory=set)
    """Datasources that did not answer in this pass."""
    spent_s: float = 0.0

    @property
    def left_s(self) -> float:
        """Seconds that may still be waited."""
        return max(0.0, self.budget_s - self.spent_s)


@dataclass(frozen=True, slots=True)
class LiveQueries:
    """Answers over HTTP. Clients by the datasource's id; for one that may not be asked, the reason."""

    clients: Mapping[str, PrometheusClient | PlatformError]
    allowance: Allowance

    def ask(self, questions: Sequence[Question]) -> Sequence[Answer | PlatformError]:
        """An answer to each question, or why there is none."""
        started_s = self.allowance.monotonic()
        pools: dict[str, ThreadPoolExecutor] = {}
        try:
            asked = [self._begin(question, pools) for question in questions]
            wait([one for one in asked if isinstance(one, Future)], timeout=self.allowance.left_s)
            return [self._ended(*pair) for pair in zip(questions, asked, strict=True)]
        finally:
            for pool in pools.values():
                pool.shutdown(wait=False, cancel_futures=True)
            self.allowance.spent_s += self.allowance.monotonic() - started_s

    def _begin(
        self, question: Question, pools: dict[str, ThreadPoolExecutor]
    ) -> Future[Answer] | PlatformError:
        client = self.clients.get(question.datasource)
        if client is None:
            return NoDatasource(f"datasource {question.datasource!r} is gone")
        if isinstance(client, PlatformError):
            return client
        if question.datasource not in pools:
            pools[question.datasource] = ThreadPoolExecutor(THREADS_EACH, "datasource")
        deadline_s = self.allowance.monotonic() + self.allowance.left_s
        return pools[question.datasource].submit(self._answer, client, question, deadline_s)

    def _answer(self, client: PrometheusClient, question: Question, deadline_s: float) -> Answer:
        """Ask, in a thread. Nothing here touches the database."""
        left_s = deadline_s - self.allowance.monotonic()
        if question.datasource in self.allowance.silent or left_s <= 0:
            raise DatasourceUnreachable(
                f"datasource {client.connection.name!r} did not answer earlier in this pass"
            )
        try:
            return client.instant(question.expr, question.at_ms, within_s=left_s)
        except DatasourceUnreachable:
            self.allowance.silent.add(question.datasource)
            raise

    def _ended(self, question: Question, asked: Future[Answer] | PlatformError) -> Answer | PlatformError:
        if isinstance(asked, PlatformError):
            return asked
        if not asked.done():
            self.allowance.silent.add(question.datasource)
            return DatasourceUnreachable(f"no answer within the {self.allowance.budget_s:g} s of a pass")
        try:
            return asked.result()
        except DatasourceFailed as error:
            return error
