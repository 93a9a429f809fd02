"""On-call turns go by the wall clock, and out and in as calendars."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from alertsite.core.errors import PlatformError
from rules.alerts.calendars import overrides_from_ical, to_ical
from rules.alerts.oncall import InvalidSchedule, Layer, Override, Restriction, Schedule, on_call, shifts

PARIS = ZoneInfo("Europe/Paris")
WEEK = timedelta(weeks=1)
HOUR_MS = 3_600_000


def at(*parts, fold=0):
    return round(datetime(*parts, tzinfo=PARIS, fold=fold).timestamp() * 1000)


def layer(*members, begin_ms=at(2026, 3, 16, 9), period=WEEK, **fields):  # noqa: B008 (a constant)
    return Layer(members, begin_ms, period, "Europe/Paris", **fields)


TURNS = Schedule((layer("ann", "bob"),))
NIGHTS = Schedule(
    (layer("day"), layer("night", restrictions=(Restriction(22 * 60, 6 * 60, frozenset({4})),)))
)
JUMP = Schedule((layer("x", restrictions=(Restriction(60, 150),)),))


@pytest.mark.parametrize(
    ("schedule", "at_ms", "expected"),
    [
        pytest.param(TURNS, at(2026, 3, 16, 8, 59), (), id="before the first turn"),
        pytest.param(TURNS, at(2026, 3, 16, 9), ("ann",), id="first turn"),
        pytest.param(TURNS, at(2026, 3, 23, 9), ("bob",), id="second turn"),
        pytest.param(TURNS, at(2026, 3, 30, 8, 59), ("bob",), id="nine stays nine in summer"),
        pytest.param(TURNS, at(2026, 3, 30, 9), ("ann",), id="hand-over in summer"),
        pytest.param(NIGHTS, at(2026, 3, 20, 23), ("night",), id="friday night"),
        pytest.param(NIGHTS, at(2026, 3, 21, 5, 59), ("night",), id="until saturday morning"),
        pytest.param(NIGHTS, at(2026, 3, 21, 6), ("day",), id="then the layer below"),
        pytest.param(NIGHTS, at(2026, 3, 21, 23), ("day",), id="not on saturday night"),
        pytest.param(
            Schedule(TURNS.layers, (Override("eve", at(2026, 3, 17), at(2026, 3, 18)),)),
            at(2026, 3, 17, 12),
            ("eve",),
            id="override",
        ),
        pytest.param(Schedule((layer("x", end_ms=at(2026, 3, 17)),)), at(2026, 3, 17), (), id="a layer ends"),
    ],
)
def test_who_is_on_call(schedule, at_ms, expected):
    assert on_call(schedule, at_ms) == expected


def test_shifts_are_cut_to_the_span():
    found = shifts(TURNS, at(2026, 3, 20), at(2026, 4, 1))

    assert [(one.members, one.begin_ms, one.end_ms) for one in found] == [
        (("ann",), at(2026, 3, 20), at(2026, 3, 23, 9)),
        (("bob",), at(2026, 3, 23, 9), at(2026, 3, 30, 9)),
        (("ann",), at(2026, 3, 30, 9), at(2026, 4, 1)),
    ]


@pytest.mark.parametrize(
    ("schedule", "begin_ms", "end_ms"),
    [
        pytest.param(NIGHTS, at(2026, 3, 18), at(2026, 4, 3), id="nights"),
        pytest.param(JUMP, at(2026, 3, 28), at(2026, 3, 31), id="the hour that is skipped"),
        pytest.param(JUMP, at(2026, 10, 24), at(2026, 10, 27), id="the hour that comes twice"),
        pytest.param(
            Schedule((layer("a", "b", begin_ms=at(2026, 3, 27, 2, 30), period=timedelta(days=1)),)),
            at(2026, 3, 27),
            at(2026, 4, 1),
            id="a hand-over in the skipped hour",
        ),
    ],
)
def test_shifts_say_what_on_call_says(schedule, begin_ms, end_ms):
    found = shifts(schedule, begin_ms, end_ms)

    for at_ms in range(begin_ms, end_ms, 5 * 60_000):
        within = [one.members for one in found if one.begin_ms <= at_ms < one.end_ms]
        assert within == ([on_call(schedule, at_ms)] if on_call(schedule, at_ms) else [])


def test_shifts_go_out_and_come_in_as_a_calendar():
    found = shifts(TURNS, at(2026, 3, 16), at(2026, 4, 13, 9))
    text = to_ical("ops", found, stamp_ms=0)

    assert overrides_from_ical(text, at(2026, 3, 1), at(2026, 5, 1)) == tuple(
        Override(one.members[0], one.begin_ms, one.end_ms) for one in found
    )


CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_recurring_events_come_in_each_time():
    text = CALENDAR.format(
        "DTSTART:20260301T080000Z\r\nDTEND:20260301T090000Z\r\nSUMMARY:eve\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n"
    )
    found = overrides_from_ical(text, at(2026, 3, 1), at(2026, 6, 1))

    assert [one.end_ms - one.begin_ms for one in found] == [HOUR_MS] * 3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("nonsense", id="no calendar"),
        pytest.param(CALENDAR.format("DTSTART:20260301T080000Z\r\n"), id="no summary"),
        pytest.param(
            CALENDAR.format("DTSTART:20260301T080000Z\r\nSUMMARY:x\r\nRRULE:FREQ=SECONDLY\r\n"),
            id="every second",
        ),
    ],
)
def test_a_bad_calendar_is_refused(text):
    with pytest.raises(PlatformError):
        overrides_from_ical(text, at(2026, 3, 1), at(2026, 6, 1))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(layer, id="no members"),
        pytest.param(lambda: layer("a", period=timedelta(minutes=1)), id="a minute each"),
        pytest.param(lambda: Layer(("a",), 0, WEEK, "Mars/Base"), id="no zone"),
        pytest.param(lambda: Restriction(0, 1441), id="minute"),
        pytest.param(lambda: Restriction(0, 1, frozenset({7})), id="weekday"),
        pytest.param(lambda: Override("a", 1, 1), id="an override of no length"),
        pytest.param(lambda: shifts(TURNS, 0, 10**12), id="a long span"),
    ],
)
def test_a_bad_schedule_is_refused(make):
    with pytest.raises(InvalidSchedule):
        make()
