"""Service levels measured: when rules fired, or what an expression was, over each objective's window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import PlatformError
from rules.language.frames import QueryRange
from rules.models import AlertInstance, AlertTransition, Rule
from rules.reports.facts import LevelsFacts, ServiceLevel
from rules.reports.levels import Objective, level_of_intervals, level_of_ratio, unmeasured
from rules.reports.options import LevelOption, LevelsOptions
from rules.reports.words import say
from rules.services.querying import QueryTerms, TenantQueries

POINTS: Final = 1000
"""Of an expression over its window, at most."""
MIN_STEP_MS: Final = 60_000


def levels_of(tenant_id: UUID, options: LevelsOptions, language: str, *, end_ms: int) -> LevelsFacts:
    """Every objective over its window up to a moment."""
    return LevelsFacts([_level(tenant_id, one, language, end_ms) for one in options.levels])


def _level(tenant_id: UUID, option: LevelOption, language: str, end_ms: int) -> ServiceLevel:
    start_ms = end_ms - option.window_ms
    if option.rule is None:
        source = say("source.expr", language, name=option.expr)
        promise = Objective(option.name, source, option.objective, start_ms, end_ms)
        return _of_expression(tenant_id, option.expr, promise)
    rule = Rule.objects.for_tenant(tenant_id).filter(pk=option.rule).first()
    name = rule.name if rule is not None else str(option.rule)
    source = say("source.rule", language, name=name)
    promise = Objective(option.name, source, option.objective, start_ms, end_ms)
    if rule is None:
        return unmeasured(promise, "the rule was deleted")
    return level_of_intervals(promise, list(_firing(rule, promise)))


def _firing(rule: Rule, promise: Objective) -> Iterator[tuple[int, int]]:
    """When alerts of a rule fired within the window, those that still do included: as long as the condition
    did, whatever a person said of it before.
    """
    start, end = to_datetime(promise.start_ms), to_datetime(promise.end_ms)
    ended = AlertTransition.objects.for_tenant(rule.tenant_id).filter(
        rule=rule, state__in=["resolved", "inactive"], at__gt=start, fired_at__lt=end
    )
    for fired_at, at in ended.order_by().values_list("fired_at", "at"):
        yield from_datetime(fired_at), from_datetime(at)
    active = AlertInstance.objects.for_tenant(rule.tenant_id).filter(
        rule=rule, state="firing", fired_at__lt=end
    )
    for fired_at in active.order_by().values_list("fired_at", flat=True):
        yield from_datetime(fired_at), promise.end_ms


def _of_expression(tenant_id: UUID, expr: str, promise: Objective) -> ServiceLevel:
    """The mean over series at each step, where the expression has a value."""
    window_ms = promise.end_ms - promise.start_ms
    step_ms = max(MIN_STEP_MS, -(-window_ms // POINTS))
    query = QueryRange(promise.start_ms + step_ms, promise.end_ms, step_ms)
    try:
        found = TenantQueries(tenant_id, promise.end_ms).over_range(expr, query, QueryTerms())
    except PlatformError as error:
        return unmeasured(promise, str(error))
    if not len(found.labels):
        return unmeasured(promise, "the expression has no value in the window")
    present = found.present & np.isfinite(found.values)
    counts = present.sum(axis=0)
    sums = np.where(present, found.values, 0.0).sum(axis=0)
    good = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return level_of_ratio(promise, found.times_ms, good)
