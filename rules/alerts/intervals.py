"""Time intervals by which a route is mute or active: hours, weekdays, days, months and years of a time zone.

In: Alertmanager's notation as plain dicts, and times in milliseconds. Out: whether a time lies inside, by
the wall clock of the zone: the hour that daylight saving skips lies in no interval, the one it repeats
twice. And the same plain dicts again. Refused, naming the field: unknown fields, malformed or reversed
ranges, zones nobody knows.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.alerts.errors import InvalidInterval

Range: TypeAlias = tuple[int, int]
"""Both ends included; of times the end is excluded."""

MAX_RANGES = 100
MONTH_DAYS = 31
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = tuple(calendar.month_name[number].lower() for number in range(1, 13))

_TIME = re.compile(r"(?:([01]\d|2[0-3]):([0-5]\d))|(24):(00)")
_FIELDS = frozenset({"times", "weekdays", "days_of_month", "months", "years", "location"})


@dataclass(frozen=True, slots=True)
class TimeInterval:
    """Times that satisfy every part given; an empty part is satisfied by all. `times` are minutes of the day,
    weekdays count from Sunday, negative days from the end of the month.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", _zone(self.location))

    def contains(self, at_ms: int) -> bool:
        """Whether the time lies inside."""
        at = datetime.fromtimestamp(at_ms / 1000, self._zone)
        minute = at.hour * 60 + at.minute
        return (
            (not self.times or any(begin <= minute < end for begin, end in self.times))
            and _within(at.isoweekday() % 7, self.weekdays)
            and _day_within(at, self.days_of_month)
            and _within(at.month, self.months)
            and _within(at.year, self.years)
        )


@dataclass(frozen=True, slots=True)
class NamedInterval:
    """What routes refer to: a time lies inside if any of the intervals contains it."""

    name: str
    intervals: tuple[TimeInterval, ...]

    def contains(self, at_ms: int) -> bool:
        """Whether the time lies inside."""
        return any(interval.contains(at_ms) for interval in self.intervals)


def first_containing(names: Iterable[str], intervals: Mapping[str, NamedInterval], at_ms: int) -> str | None:
    """The first of these intervals that contains the time; a name nobody defined contains nothing."""
    found = (name for name in names if name in intervals and intervals[name].contains(at_ms))
    return next(found, None)


def _within(value: int, ranges: tuple[Range, ...]) -> bool:
    return not ranges or any(begin <= value <= end for begin, end in ranges)


def _day_within(at: datetime, ranges: tuple[Range, ...]) -> bool:
    """Days count in the month at hand: those past its end are cut off, negative ones count from it."""
    if not ranges:
        return True
    last = calendar.monthrange(at.year, at.month)[1]
    resolved = [tuple(day if day > 0 else last + day + 1 for day in (begin, end)) for begin, end in ranges]
    return any(begin <= at.day <= end for begin, end in resolved)


@cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInterval("location", f"unknown time zone {name!r}") from None


def parse_named(name: str, plain: object) -> NamedInterval:
    """A named interval from the list of its parts.

    Raises
    ------
    InvalidInterval
        If it is no list, or a part is refused.
    """
    return NamedInterval(name, tuple(parse_interval(part) for part in _listed("time_intervals", plain)))


def parse_interval(plain: object) -> TimeInterval:
    """One interval from its plain dict.

    Raises
    ------
    InvalidInterval
        Naming the field that was refused, and why.
    """
    if not isinstance(plain, Mapping):
        raise InvalidInterval("time_intervals", f"expected fields, found {plain!r}")
    unknown = sorted(str(name) for name in plain.keys() - _FIELDS)
    if unknown:
        raise InvalidInterval(unknown[0], f"unknown field, accepts {', '.join(sorted(_FIELDS))}")
    location = plain.get("location") or "UTC"
    if not isinstance(location, str):
        raise InvalidInterval("location", f"expected a name, found {location!r}")
    return TimeInterval(
        times=tuple(_time_range(part) for part in _listed("times", plain.get("times"))),
        weekdays=_ranges("weekdays", plain, _weekday),
        days_of_month=tuple(_days(part) for part in _listed("days_of_month", plain.get("days_of_month"))),
        months=_ranges("months", plain, _month),
        years=_ranges("years", plain, _year),
        location=location,
    )


def _listed(name: str, plain: object) -> Sequence[object]:
    if plain is None:
        return ()
    if not isinstance(plain, list | tuple):
        raise InvalidInterval(name, f"expected a list, found {plain!r}")
    if len(plain) > MAX_RANGES:
        raise InvalidInterval(name, f"{len(plain)} entries, limit is {MAX_RANGES}")
    return plain


def _ranges(name: str, plain: Mapping[str, object], read: Callable[[str], int]) -> tuple[Range, ...]:
    found = []
    for part in _listed(name, plain.get(name)):
        begin, end = _ends(name, part)
        first, last = read(begin), read(end)
        if first > last:
            raise InvalidInterval(name, f"{part!r} ends before it begins")
        found.append((first, last))
    return tuple(found)


def _ends(name: str, part: object) -> tuple[str, str]:
    """Both ends of `begin:end`, or the one value twice."""
    if isinstance(part, bool) or not isinstance(part, str | int):
        raise InvalidInterval(name, f"expected text, found {part!r}")
    begin, _, end = str(part).partition(":")
    return begin.strip(), (end if ":" in str(part) else begin).strip()


def _time_range(part: object) -> Range:
    if not isinstance(part, Mapping) or part.keys() != {"start_time", "end_time"}:
        raise InvalidInterval("times", f"expected start_time and end_time, found {part!r}")
    begin, end = _minute(part["start_time"]), _minute(part["end_time"])
    if begin >= end:
        raise InvalidInterval(
            "times", f"start_time {part['start_time']} is not before end_time {part['end_time']}"
        )
    return begin, end


def _minute(text: object) -> int:
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidInterval("times", f"{text!r} is not a time between 00:00 and 24:00")
    hour, minute = (part for part in match.groups() if part is not None)
    return int(hour) * 60 + int(minute)


def _weekday(text: str) -> int:
    if text.lower() not in WEEKDAYS:
        raise InvalidInterval("weekdays", f"{text!r} is not a weekday")
    return WEEKDAYS.index(text.lower())


def _month(text: str) -> int:
    if text.lower() in MONTHS:
        return MONTHS.index(text.lower()) + 1
    number = _number("months", text)
    if not 1 <= number <= len(MONTHS):
        raise InvalidInterval("months", f"{text!r} is not a month")
    return number


def _year(text: str) -> int:
    return _number("years", text)


def _days(part: object) -> Range:
    begin, end = (_number("days_of_month", text) for text in _ends("days_of_month", part))
    for day in (begin, end):
        if day == 0 or not -MONTH_DAYS <= day <= MONTH_DAYS:
            raise InvalidInterval("days_of_month", f"{day} is not within 1 to 31 or -31 to -1")
    if begin < 0 < end:
        raise InvalidInterval("days_of_month", f"{part!r} begins from the end and ends from the beginning")
    if begin > (end if begin < 0 or end > 0 else MONTH_DAYS + 1 + end):
        raise InvalidInterval("days_of_month", f"{part!r} ends before it begins")
    return begin, end


def _number(name: str, text: str) -> int:
    if re.fullmatch(r"-?\d{1,4}", text) is None:
        raise InvalidInterval(name, f"{text!r} is not a number")
    return int(text)


def to_plain(interval: TimeInterval) -> dict[str, object]:
    """The interval in Alertmanager's notation, as `parse_interval` reads it."""
    plain: dict[str, object] = {}
    if interval.times:
        plain["times"] = [
            {"start_time": _clock(begin), "end_time": _clock(end)} for begin, end in interval.times
        ]
    if interval.weekdays:
        plain["weekdays"] = [_range_text(part, lambda day: WEEKDAYS[day]) for part in interval.weekdays]
    if interval.days_of_month:
        plain["days_of_month"] = [_range_text(part, str) for part in interval.days_of_month]
    if interval.months:
        plain["months"] = [_range_text(part, lambda month: MONTHS[month - 1]) for part in interval.months]
    if interval.years:
        plain["years"] = [_range_text(part, str) for part in interval.years]
    if interval.location != "UTC":
        plain["location"] = interval.location
    return plain


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _range_text(part: Range, write: Callable[[int], str]) -> str:
    begin, end = part
    return write(begin) if begin == end else f"{write(begin)}:{write(end)}"
