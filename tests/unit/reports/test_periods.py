"""Periods end when the last day, week or month of their zone did, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertsite.core.errors import InvalidParameter
from rules.models.report import Kind
from rules.reports.periods import ReportKind, last_period, period_before, zone_of

BEGINNING, END = datetime(2012, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001 (Hypothesis adds the zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("kind", "now", "zone", "start", "end"),
    [
        pytest.param(
            "operations_daily",
            "2026-03-02T06:00Z",
            "UTC",
            "2026-03-01T00:00Z",
            "2026-03-02T00:00Z",
            id="yesterday",
        ),
        pytest.param(
            "operations_daily",
            "2026-03-01T23:30Z",
            "Europe/Paris",
            "2026-02-28T23:00Z",
            "2026-03-01T23:00Z",
            id="yesterday by the clock of the zone",
        ),
        pytest.param(
            "operations_daily",
            "2026-03-30T05:00Z",
            "Europe/Paris",
            "2026-03-28T23:00Z",
            "2026-03-29T22:00Z",
            id="a day of 23 hours",
        ),
        pytest.param(
            "operations_daily",
            "2026-10-26T05:00Z",
            "Europe/Paris",
            "2026-10-24T22:00Z",
            "2026-10-25T23:00Z",
            id="a day of 25 hours",
        ),
        pytest.param(
            "operations_daily",
            "2026-09-06T12:00Z",
            "America/Santiago",
            "2026-09-05T04:00Z",
            "2026-09-06T04:00Z",
            id="a midnight that does not exist: the day begins where the clock jumps",
        ),
        pytest.param(
            "operations_weekly",
            "2026-03-04T12:00Z",
            "UTC",
            "2026-02-23T00:00Z",
            "2026-03-02T00:00Z",
            id="Monday to Monday",
        ),
        pytest.param(
            "operations_monthly",
            "2026-03-01T00:00Z",
            "UTC",
            "2026-02-01T00:00Z",
            "2026-03-01T00:00Z",
            id="the month that has just ended",
        ),
        pytest.param(
            "service_levels",
            "2026-03-04T12:00Z",
            "UTC",
            "2026-02-02T00:00Z",
            "2026-03-04T00:00Z",
            id="thirty days",
        ),
    ],
)
def test_last_period(kind, now, zone, start, end):
    period = last_period(ReportKind(kind), at(now), ZoneInfo(zone))
    assert (period.start, period.end) == (at(start), at(end))


@given(
    st.sampled_from(ReportKind),
    st.sampled_from(["UTC", "Europe/Paris", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia"]),
    st.datetimes(BEGINNING, END, timezones=st.just(UTC)),
)
def test_periods_are_over_and_follow_one_another(kind, name, now):
    zone = ZoneInfo(name)
    period = last_period(kind, now, zone)
    assert period.start < period.end <= now
    assert period_before(kind, period, zone).end == period.start
    assert last_period(kind, period.end, zone) == period
    assert last_period(kind, period.end - timedelta(milliseconds=1), zone) != period


def test_a_zone_nobody_knows_is_refused():
    with pytest.raises(InvalidParameter):
        zone_of("Mars/Olympus")


def test_the_kinds_of_the_table_are_those_of_the_stage():
    assert set(Kind.values) == set(ReportKind)
