"""What stands in a report: its heading, and the facts of its kind and period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from alertsite.core.clock import from_datetime
from rules.models import Report
from rules.reports.facts import Facts, Heading, OperationsFacts
from rules.reports.options import LevelsOptions, read_options
from rules.reports.periods import Period, ReportKind, period_before, zone_of
from rules.services.levelsfacts import levels_of
from rules.services.operationsfacts import operations_of
from rules.services.qualityfacts import quality_of


def heading_of(report: Report) -> Heading:
    """What the report is, of whom, and about when."""
    return Heading(
        tenant=report.tenant.name,
        name=report.name,
        kind=report.kind,
        language=report.language,
        timezone=report.timezone,
        start=report.period_start.isoformat(),
        end=report.period_end.isoformat(),
    )


def facts_of(report: Report, *, now: datetime, seconds: Callable[[], float]) -> Facts:
    """The facts, gathered in the tenant's scope.

    Parameters
    ----------
    seconds
        A monotonic clock, for what is bounded by time.
    """
    kind, tenant_id = ReportKind(report.kind), report.tenant_id
    period = Period(report.period_start, report.period_end)
    options = read_options(kind, report.options)
    if isinstance(options, LevelsOptions):
        return levels_of(tenant_id, options, report.language, end_ms=from_datetime(period.end))
    if kind is ReportKind.ALERT_QUALITY:
        return quality_of(tenant_id, period, now=now, seconds=seconds)
    zone = zone_of(report.timezone)
    before = period_before(kind, period, zone)
    return OperationsFacts(
        now=operations_of(tenant_id, period, zone, now=now),
        before=operations_of(tenant_id, before, zone, now=now),
    )
