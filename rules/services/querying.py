"""Queries over a tenant's series: hot samples, and archived ones where a query reaches further back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, Matcher
from alertsite.tenancy.models import Quota
from rules.language.engine import (
    EvaluationLimits,
    InstantResult,
    RangeResult,
    evaluate_instant,
    evaluate_range,
)
from rules.language.errors import ParseError
from rules.language.frames import QueryRange
from rules.language.parser import parse
from rules.language.plan import Plan, plan
from rules.language.syntax import Selector
from rules.series.backends.history import ArchiveSeries, MergedSeries
from rules.series.protocols import SeriesReader
from rules.services.archiving import TenantBlocks
from rules.services.stores import hot_span_ms, hot_store

DEFAULT_TIMEOUT_S: Final = 30.0
MAX_TIMEOUT_S: Final = 120.0
DEFAULT_LOOKBACK_MS: Final = 300_000
MAX_STEPS: Final = 11_000


class TooManySteps(PlatformError):
    """A range query has more steps than a client can draw."""

    code = "query.too_many_steps"

    def __init__(self, steps: int) -> None:
        super().__init__(
            f"exceeded maximum resolution of {MAX_STEPS:,} points per timeseries with {steps:,}. "
            "Try decreasing the query resolution (?step=XX)"
        )


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """What a client may choose about a query."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    lookback_ms: int = DEFAULT_LOOKBACK_MS


@dataclass(frozen=True, slots=True)
class TenantQueries:
    """Queries of one tenant, bounded by its quota, as of one moment."""

    tenant_id: UUID
    now_ms: int

    def instant(self, text: str, at_ms: int, terms: QueryTerms) -> InstantResult:
        """The value of an expression at one time."""
        prepared = plan(text)
        limits = self._limits(terms)
        reader = self._reader(prepared, QueryRange(at_ms, at_ms), limits)
        return evaluate_instant(prepared, reader, at_ms, limits)

    def over_range(self, text: str, query: QueryRange, terms: QueryTerms) -> RangeResult:
        """The values of an expression at each step of a range.

        Raises
        ------
        TooManySteps
            If there are more than `MAX_STEPS`.
        """
        if query.step_ms > 0 and (steps := (query.end_ms - query.start_ms) // query.step_ms + 1) > MAX_STEPS:
            raise TooManySteps(steps)
        prepared = plan(text)
        limits = self._limits(terms)
        return evaluate_range(prepared, self._reader(prepared, query, limits), query, limits)

    def series(self, selectors: Sequence[str], start_ms: int) -> list[LabelSet]:
        """Label sets of all series that match any of the selectors, sorted; every series when there is
        none.
        """
        reader = self.reader_since(start_ms)
        wanted = [self._matchers(text) for text in selectors] or [()]
        numbers = np.unique(np.concatenate([reader.select(matchers) for matchers in wanted]))
        return sorted(reader.labels(numbers))

    def _matchers(self, text: str) -> Sequence[Matcher]:
        expr = parse(text)
        if not isinstance(expr, Selector):
            raise ParseError(f"{text!r} is not a series selector")
        return expr.matchers

    def _limits(self, terms: QueryTerms) -> EvaluationLimits:
        deadline = time.monotonic() + min(terms.timeout_s, MAX_TIMEOUT_S)
        return EvaluationLimits(
            max_samples=Quota.objects.get(pk=self.tenant_id).max_samples_per_query,
            out_of_time=lambda: time.monotonic() > deadline,
            lookback_ms=terms.lookback_ms,
        )

    def _reader(self, prepared: Plan, query: QueryRange, limits: EvaluationLimits) -> SeriesReader:
        """The hot store, with the archive where a selector reaches beyond it; a pinned one may reach
        anywhere.
        """
        if any(window.pinned for window in prepared.windows):
            return self.reader_since(0)
        reach_ms = max((window.reach_ms for window in prepared.windows), default=0)
        return self.reader_since(query.start_ms - reach_ms - limits.lookback_ms)

    def reader_since(self, start_ms: int) -> SeriesReader:
        """The hot store, with the archive where the time lies further back than it reaches."""
        hot = hot_store(self.tenant_id)
        hot.catch_up()
        if start_ms >= self.now_ms - hot_span_ms(self.tenant_id):
            return hot
        archive = ArchiveSeries(TenantBlocks(self.tenant_id), start_ms, self.now_ms)
        return MergedSeries(hot, archive)
