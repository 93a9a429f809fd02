"""Time intervals go by the wall clock of their zone."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.alerts.errors import InvalidInterval
from rules.alerts.intervals import first_containing, parse_interval, parse_named, to_plain

PARIS = "Europe/Paris"


def at(text, zone="UTC", fold=0):
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(moment.timestamp() * 1000)


NIGHT = [{"start_time": "02:00", "end_time": "03:00"}]


@pytest.mark.parametrize(
    ("plain", "at_ms", "expected"),
    [
        pytest.param({}, at("2026-01-01T00:00"), True, id="no part holds always"),
        pytest.param({"times": NIGHT}, at("2026-01-01T02:00"), True, id="begin is inside"),
        pytest.param({"times": NIGHT}, at("2026-01-01T03:00"), False, id="end is outside"),
        pytest.param({"times": NIGHT, "location": PARIS}, at("2026-01-01T01:30"), True, id="zone"),
        pytest.param({"weekdays": ["saturday", "Sunday"]}, at("2026-01-04T12:00"), True, id="sunday"),
        pytest.param({"weekdays": ["monday:friday"]}, at("2026-01-04T12:00"), False, id="no weekday"),
        pytest.param({"days_of_month": ["-1"]}, at("2026-02-28T12:00"), True, id="last of the month"),
        pytest.param({"days_of_month": ["-3:-2"]}, at("2026-02-28T12:00"), False, id="not the last"),
        pytest.param({"days_of_month": ["1:-1"]}, at("2026-02-14T12:00"), True, id="whole month"),
        pytest.param({"days_of_month": ["29:31"]}, at("2026-02-28T12:00"), False, id="past its end"),
        pytest.param({"months": ["january:march", 12]}, at("2026-12-01T00:00"), True, id="a month by number"),
        pytest.param({"months": ["january:march"]}, at("2026-04-01T00:00"), False, id="no such month"),
        pytest.param({"years": ["2020:2026"]}, at("2026-04-01T00:00"), True, id="year"),
        pytest.param({"years": [2025]}, at("2026-04-01T00:00"), False, id="another year"),
        pytest.param(
            {"times": NIGHT, "location": PARIS},
            at("2026-10-25T02:30", PARIS),
            True,
            id="the hour that comes twice",
        ),
        pytest.param(
            {"times": NIGHT, "location": PARIS}, at("2026-10-25T02:30", PARIS, 1), True, id="its second time"
        ),
        pytest.param(
            {"times": NIGHT, "location": PARIS}, at("2026-03-29T01:00"), False, id="the hour that is skipped"
        ),
    ],
)
def test_an_interval_contains_times(plain, at_ms, expected):
    interval = parse_interval(plain)

    assert interval.contains(at_ms) is expected
    assert parse_interval(to_plain(interval)) == interval


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        pytest.param([], "expected fields", id="no fields"),
        pytest.param({"hours": []}, "hours: unknown field", id="unknown field"),
        pytest.param({"times": [{"start_time": "9:00", "end_time": "10:00"}]}, "'9:00'", id="one digit"),
        pytest.param({"times": [{"start_time": "10:00", "end_time": "10:00"}]}, "not before", id="empty"),
        pytest.param({"times": [{"start_time": "10:00"}]}, "start_time and end_time", id="half"),
        pytest.param({"weekdays": ["friday:monday"]}, "ends before", id="reversed"),
        pytest.param({"weekdays": ["1"]}, "not a weekday", id="a weekday by number"),
        pytest.param({"weekdays": "monday"}, "a list", id="no list"),
        pytest.param({"days_of_month": ["0"]}, "not within", id="day zero"),
        pytest.param({"days_of_month": ["-1:5"]}, "from the end", id="negative to positive"),
        pytest.param({"days_of_month": ["20:-20"]}, "ends before", id="never"),
        pytest.param({"months": [13]}, "not a month", id="month 13"),
        pytest.param({"years": ["x"]}, "not a number", id="no year"),
        pytest.param({"location": "Mars/Base"}, "unknown time zone", id="no zone"),
    ],
)
def test_a_bad_interval_is_refused_by_its_field(plain, reason):
    with pytest.raises(InvalidInterval, match=reason):
        parse_interval(plain)


def test_the_first_of_the_named_intervals_is_told():
    named = {"off": parse_named("off", [{"years": [1999]}]), "on": parse_named("on", [{"years": [1999]}, {}])}

    assert first_containing(("gone", "off", "on"), named, 0) == "on"
    assert first_containing(("off",), named, 0) is None
