"""On-call shifts as iCalendar, and iCalendar events as overrides.

In: shifts, or the text of a calendar and a span. Out: text, or overrides, the member being the event's
summary. Refused: what is no calendar, texts and calendars beyond the caps, rules that cost too much to
follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Final

import icalendar
import recurring_ical_events

from rules.alerts.oncall import MAX_SPAN_MS, InvalidSchedule, Override, Shift
from rules.alerts.recurrence import Recurrence

MAX_CHARACTERS: Final = 1 << 20
MAX_EVENTS: Final = 1000
MAX_RECURRING: Final = 50
PRODUCT: Final = "-//alertsite//on-call//EN"


def to_ical(name: str, shifts: Iterable[Shift], *, stamp_ms: int) -> str:
    """The shifts as a calendar, an event each; the same shift has the same UID whenever it is written."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    for shift in shifts:
        event = icalendar.Event()
        event.add("uid", f"{shift.begin_ms}-{'-'.join(shift.members)}@{name}")
        event.add("dtstamp", _moment(stamp_ms))
        event.add("dtstart", _moment(shift.begin_ms))
        event.add("dtend", _moment(shift.end_ms))
        event.add("summary", ", ".join(shift.members))
        calendar.add_component(event)
    return bytes(calendar.to_ical()).decode()


def overrides_from_ical(text: str, from_ms: int, to_ms: int) -> tuple[Override, ...]:
    """The events of the span, recurring ones each time, as overrides by the name in their summary.

    Raises
    ------
    InvalidSchedule, InvalidRecurrence
        If the calendar cannot be read, or costs too much to follow.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidSchedule(f"calendar has {len(text)} characters, limit is {MAX_CHARACTERS}")
    if to_ms - from_ms > MAX_SPAN_MS:
        raise InvalidSchedule(f"span is {to_ms - from_ms} ms, limit is {MAX_SPAN_MS}")
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except ValueError as error:
        raise InvalidSchedule(f"not a calendar: {error}") from None
    events = [event for event in calendar.walk("VEVENT") if isinstance(event, icalendar.Event)]
    if len(events) > MAX_EVENTS:
        raise InvalidSchedule(f"calendar has {len(events)} events, limit is {MAX_EVENTS}")
    recurring = [event for event in events if _recurs(event)]
    if len(recurring) > MAX_RECURRING:
        raise InvalidSchedule(f"calendar has {len(recurring)} recurring events, limit is {MAX_RECURRING}")
    found = recurring_ical_events.of(calendar).between(_moment(from_ms), _moment(to_ms))
    overrides = (_override(event) for event in found if event.start < event.end)
    return tuple(sorted(overrides, key=lambda one: (one.begin_ms, one.member)))


def _recurs(event: icalendar.Event) -> bool:
    """Whether the event has a rule. One without begin or summary is refused, so are rules that our own
    recurrences refuse or that begin more than once a day.
    """
    if "DTSTART" not in event or not str(event.get("SUMMARY", "")).strip():
        raise InvalidSchedule("an event has no DTSTART or no SUMMARY")
    try:
        begin_ms, _ = _milliseconds(event.start), _milliseconds(event.end)
    except ValueError as error:
        raise InvalidSchedule(f"an event has no readable begin and end: {error}") from None
    for rule in event.rrules:
        if rule.get("FREQ") == ["HOURLY"] or "BYHOUR" in rule or "BYMINUTE" in rule:
            raise InvalidSchedule(f"rule {rule.to_ical().decode()} begins more than once a day")
        Recurrence(rule.to_ical().decode(), 1).check(begin_ms)
    return bool(event.rrules)


def _override(event: icalendar.Event) -> Override:
    return Override(str(event["SUMMARY"]).strip(), _milliseconds(event.start), _milliseconds(event.end))


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _milliseconds(value: date | datetime) -> int:
    """A date begins at midnight UTC; a time without a zone is UTC."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
