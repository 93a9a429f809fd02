"""What the platform knows that decides about runs: alerts that fire, expressions that hold, maintenance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import redis

from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from healing.models import HealingRun
from rules.alerts.silences import SilenceVerdict, covers
from rules.models import AlertInstance, Silence
from rules.services.querying import QueryTerms, TenantQueries
from rules.services.routing import terms_of

TERMS: Final = QueryTerms(timeout_s=10.0)


def alert_fires(run: HealingRun) -> bool:
    """Whether the alert that started the run fires, in this life or another of the same labels."""
    firing = AlertInstance.objects.for_tenant(run.tenant_id).filter(
        state=AlertInstance.State.FIRING, closed_at=None
    )
    if firing.filter(pk=run.alert_id).exists():
        return True
    return any(
        one == run.labels
        for one in firing.filter(labels__contains=run.labels).values_list("labels", flat=True)
    )


def series_that_hold(tenant_id: UUID, expr: str, *, now: datetime) -> list[tuple[LabelSet, float]]:
    """Labels and values of an expression's result.

    Raises
    ------
    PlatformError
        If it cannot be evaluated.
    """
    now_ms = from_datetime(now)
    result = TenantQueries(tenant_id, now_ms).instant(expr, now_ms, TERMS)
    return [(labels, float(value)) for labels, value in zip(result.labels, result.values, strict=False)]


def holds(tenant_id: UUID, expr: str, where: Mapping[str, str], *, now: datetime) -> bool | None:
    """Whether an expression has a series with these labels; None if that cannot be told."""
    try:
        found = series_that_hold(tenant_id, expr, now=now)
    except (PlatformError, redis.RedisError):
        return None
    return any(_has(dict(labels), where) for labels, _ in found)


def _has(labels: Mapping[str, str], where: Mapping[str, str]) -> bool:
    return all(labels.get(name, "") == value for name, value in where.items())


def maintenance(run: HealingRun, *, now: datetime) -> str:
    """The comment of a maintenance window that covers the run's labels now; empty if none does."""
    windows = Silence.objects.for_tenant(run.tenant_id).filter(
        kind=Silence.Kind.MAINTENANCE, starts_at__lte=now, ends_at__gt=now
    )
    for window in windows:
        if covers(terms_of(window), run.labels, from_datetime(now)) is SilenceVerdict.COVERS:
            return f"maintenance by {window.author}: {window.comment}"
    return ""
