"""When beat's rows come due in an hour that the clock jumps over, or shows twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import CrontabSchedule

from rules.reports.periods import ReportKind, last_period, zone_of

MINUTE = timedelta(minutes=1)


def fired(crontab: CrontabSchedule, start: datetime, days: int) -> list[datetime]:
    """When beat would send, looking once a minute."""
    schedule = crontab.schedule
    moments, last = [], start
    for minute in range(days * 24 * 60):
        now = start + minute * MINUTE
        schedule.nowfun = lambda now=now: now.astimezone(schedule.tz)
        if schedule.is_due(last)[0]:
            moments.append(now)
            last = now
    return moments


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(
            datetime(2026, 3, 28, 12, tzinfo=UTC),
            ["2026-03-29T01:30", "2026-03-30T00:30"],
            id="02:30 does not exist: right after the jump",
        ),
        pytest.param(
            datetime(2026, 10, 24, 12, tzinfo=UTC),
            ["2026-10-25T00:30", "2026-10-26T01:30"],
            id="02:30 comes twice: the first time",
        ),
    ],
)
def test_a_report_comes_once_a_day_for_a_day_each(start, expected):
    crontab = CrontabSchedule(minute="30", hour="2", timezone="Europe/Paris")
    moments = fired(crontab, start, days=2)
    assert [f"{one:%FT%H:%M}" for one in moments] == expected
    periods = [last_period(ReportKind.OPERATIONS_DAILY, one, zone_of("Europe/Paris")) for one in moments]
    assert periods[0].end == periods[1].start
