"""What a report is about: the last whole day, week or month of its time zone.

In: a kind, a moment, a zone. Out: a period, from its start up to but without its end. A day begins with the
first moment of its date: where the clock jumps over midnight, or shows it twice, that is the earlier one.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from alertsite.core.errors import InvalidParameter

LEVELS_DAYS: Final = 30
"""What a report on service levels looks back over."""


class ReportKind(enum.StrEnum):
    """What a report tells."""

    OPERATIONS_DAILY = "operations_daily"
    OPERATIONS_WEEKLY = "operations_weekly"
    OPERATIONS_MONTHLY = "operations_monthly"
    SERVICE_LEVELS = "service_levels"
    ALERT_QUALITY = "alert_quality"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to but without `end`, both in UTC."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is; days of 23 and 25 hours are what they are."""
        return (self.end - self.start).total_seconds()

    @property
    def key(self) -> str:
        """The same for the same period, so that its report is made once."""
        return f"{self.start:%FT%TZ}/{self.end:%FT%TZ}"


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name.

    Raises
    ------
    InvalidParameter
        If there is none of that name.
    """
    if name not in available_timezones():
        raise InvalidParameter("timezone", name, "the name of a time zone, such as Europe/Paris")
    return ZoneInfo(name)


def last_period(kind: ReportKind, now: datetime, zone: ZoneInfo) -> Period:
    """The last period that is over."""
    return _ending(kind, now.astimezone(zone).date(), zone)


def period_before(kind: ReportKind, period: Period, zone: ZoneInfo) -> Period:
    """The period that came before, to compare with."""
    return _ending(kind, period.start.astimezone(zone).date(), zone)


def _ending(kind: ReportKind, today: date, zone: ZoneInfo) -> Period:
    """The last period that ended when this date began, or earlier."""
    start, end = _SPANS[kind](today)
    return Period(_beginning(start, zone), _beginning(end, zone))


def _day(today: date) -> tuple[date, date]:
    return today - timedelta(days=1), today


def _week(today: date) -> tuple[date, date]:
    monday = today - timedelta(days=today.weekday())
    return monday - timedelta(days=7), monday


def _month(today: date) -> tuple[date, date]:
    first = today.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1), first


def _levels(today: date) -> tuple[date, date]:
    return today - timedelta(days=LEVELS_DAYS), today


_SPANS: Final[Mapping[ReportKind, Callable[[date], tuple[date, date]]]] = {
    ReportKind.OPERATIONS_DAILY: _day,
    ReportKind.OPERATIONS_WEEKLY: _week,
    ReportKind.OPERATIONS_MONTHLY: _month,
    ReportKind.SERVICE_LEVELS: _levels,
    ReportKind.ALERT_QUALITY: _week,
}


def _beginning(day: date, zone: ZoneInfo) -> datetime:
    """Midnight by `fold=0`: the earlier of two, or the moment at which the clock jumped over it."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
