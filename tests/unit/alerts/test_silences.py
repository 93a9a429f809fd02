"""Silences and inhibition keep quiet what they should, and nothing else."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.alerts.errors import InvalidRecurrence
from rules.alerts.inhibition import Inhibited, InhibitionIndex, InhibitionRule
from rules.alerts.matchers import parse_matchers
from rules.alerts.recurrence import Recurrence
from rules.alerts.silences import Silence, SilenceIndex, SilenceState, covers, state

HOUR_MS = 3_600_000
PARIS = ZoneInfo("Europe/Paris")


def paris(*parts, fold=0):
    return round(datetime(*parts, tzinfo=PARIS, fold=fold).timestamp() * 1000)


def silence(text="a=b", **fields):
    return Silence(**{"id": "s", "matchers": parse_matchers(text), "starts_ms": 10, "ends_ms": 20} | fields)


@pytest.mark.parametrize(
    ("given", "at_ms", "verdict", "life"),
    [
        pytest.param(silence(), 9, "not_started", SilenceState.PENDING, id="before"),
        pytest.param(silence(), 10, "covers", SilenceState.ACTIVE, id="at its start"),
        pytest.param(silence(), 20, "expired", SilenceState.EXPIRED, id="at its end"),
        pytest.param(silence("a=c"), 10, "not_matched", SilenceState.ACTIVE, id="others"),
        pytest.param(silence(approved=False), 10, "not_approved", SilenceState.ACTIVE, id="not approved"),
    ],
)
def test_a_silence_covers(given, at_ms, verdict, life):
    assert covers(given, {"a": "b"}, at_ms) == verdict
    assert state(given, at_ms) is life


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        pytest.param(paris(2026, 1, 3, 1, 59), "not_started", id="before the first"),
        pytest.param(paris(2026, 1, 3, 2), "covers", id="first start"),
        pytest.param(paris(2026, 1, 3, 4), "between_occurrences", id="first end"),
        pytest.param(paris(2026, 7, 4, 2, 30), "covers", id="summer, by the wall clock"),
        pytest.param(paris(2026, 7, 5, 2, 30), "between_occurrences", id="another day"),
        pytest.param(paris(2027, 1, 9, 2, 30), "expired", id="after the end"),
    ],
)
def test_a_recurring_silence_covers_its_windows(at_ms, expected):
    weekly = Recurrence("FREQ=WEEKLY;BYDAY=SA", 2 * HOUR_MS, "Europe/Paris")
    given = silence(starts_ms=paris(2026, 1, 3, 2), ends_ms=paris(2027, 1, 1), recurrence=weekly)

    assert covers(given, {"a": "b"}, at_ms) == expected


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        pytest.param(paris(2026, 3, 29, 3, 0), False, id="the hour is skipped"),
        pytest.param(paris(2026, 3, 29, 3, 45), True, id="the window happens at the old offset"),
        pytest.param(paris(2026, 10, 25, 2, 30), True, id="the hour comes twice: the first time"),
        pytest.param(paris(2026, 10, 25, 2, 50, fold=1), False, id="and not the second"),
    ],
)
def test_windows_in_the_hour_that_daylight_saving_moves(at_ms, expected):
    daily = Recurrence("FREQ=DAILY", HOUR_MS, "Europe/Paris")

    assert daily.holds(paris(2026, 1, 1, 2, 30), at_ms) is expected


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=3;UNTIL=20260101",
        "FREQ=DAILY;INTERVAL=1001",
        "FREQ=DAILY;DTSTART=20260101",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=HOURLY;INTERVAL=7;BYSETPOS=9",
        "FREQ=HOURLY;BYHOUR=99",
        "FREQ=DAILY;UNTIL=soon",
        "FREQ=DAILY;UNTIL=20250101",
        "FREQ=DAILY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5",
        "FREQ=DAILY;BYSECOND=0,30",
        "FREQ=DAILY;BYSECOND=60",
        "FREQ=DAILY;BYSECOND=-1",
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rule):
    with pytest.raises(InvalidRecurrence):
        Recurrence(rule, HOUR_MS).check(paris(2026, 1, 1))


@pytest.mark.parametrize(
    ("parts", "begins_at"),
    [
        pytest.param("BYHOUR=6;BYMINUTE=40;BYSECOND=0", (6, 40, 0), id="written out by a library"),
        pytest.param("BYHOUR=0;BYMINUTE=0;BYSECOND=0", (0, 0, 0), id="before the first start's second"),
        pytest.param("BYSECOND=45", (6, 40, 45), id="hour and minute of the first start"),
        pytest.param("BYHOUR=7", (7, 40, 30), id="minute and second of the first start"),
    ],
)
def test_a_window_begins_at_the_second_of_the_rule_or_of_the_first_start(parts, begins_at):
    daily = Recurrence(f"FREQ=DAILY;{parts}", 24 * HOUR_MS, "Europe/Paris")
    first = paris(2026, 1, 1, 6, 40, 30)

    assert daily.window_start_ms(first, paris(2026, 1, 20, 12)) == paris(2026, 1, 20, *begins_at)


def test_a_count_ends_the_windows():
    thrice = Recurrence("FREQ=DAILY;COUNT=3", HOUR_MS)
    held = [thrice.holds(0, day * 24 * HOUR_MS + 1) for day in range(5)]

    assert held == [True, True, True, False, False]


def test_the_index_finds_the_first_that_covers():
    index = SilenceIndex(
        [
            silence('a="b",c="d"', id="late", starts_ms=15),
            silence("a=~.+", id="any"),
            silence("a=b", id="own"),
        ]
    )

    assert [getattr(index.find({"a": "b", "c": "d"}, at), "id", None) for at in (9, 10, 15, 20)] == [
        None,
        "any",
        "late",
        None,
    ]
    assert index.find({"z": "z"}, 10) is None


RULE = InhibitionRule("r", parse_matchers("severity=critical"), parse_matchers("team=~.+"), ("host",))


@pytest.mark.parametrize(
    ("firing", "labels", "expected"),
    [
        pytest.param(
            {"severity": "critical", "host": "h"}, {"team": "t", "host": "h"}, "src", id="inhibited"
        ),
        pytest.param(
            {"severity": "critical", "host": "h"}, {"team": "t", "host": "x"}, None, id="other host"
        ),
        pytest.param({"severity": "critical"}, {"team": "t"}, "src", id="both lack the label"),
        pytest.param({"severity": "warning"}, {"team": "t"}, None, id="no source"),
        pytest.param({"severity": "critical"}, {}, None, id="no target"),
        pytest.param(
            {"severity": "critical", "team": "t"},
            {"team": "t", "severity": "critical"},
            None,
            id="both sides",
        ),
        pytest.param(
            {"severity": "critical", "team": "t"}, {"team": "u"}, "src", id="source is on both sides"
        ),
    ],
)
def test_inhibition(firing, labels, expected):
    index = InhibitionIndex([RULE], [("src", firing)])

    assert index.inhibitor("target", labels) == (expected and Inhibited("r", expected))
    assert index.inhibitor("src", firing) is None
