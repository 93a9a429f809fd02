"""Moments and spans of time as templates see them: Go's methods, Go's layouts, Go's way to print them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import ClassVar, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.values import Function, Rendered

MAX_SECONDS: Final = 9_223_372_036
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PRINTED = "2006-01-02 15:04:05.999999999 -0700 MST"


@dataclass(frozen=True, slots=True)
class Duration(Rendered):
    """A span of time."""

    nanoseconds: int

    @classmethod
    def of_seconds(cls, seconds: float) -> Duration:
        """To the nearest nanosecond.

        Raises
        ------
        Fault
            If it is longer than 292 years, the longest that Go has.
        """
        if abs(seconds) > MAX_SECONDS:
            raise Fault(f"{seconds:g} s is longer than {MAX_SECONDS:g} s, the longest duration")
        return cls(round(seconds * 1e9))

    @property
    def seconds(self) -> float:
        """In seconds."""
        return self.nanoseconds / 1e9

    def rendered(self) -> str:
        """As Go prints it: `1h2m3.5s`, `1.5ms`."""
        left = abs(self.nanoseconds)
        sign = "-" if self.nanoseconds < 0 else ""
        for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
            if 0 < left < size * 1000:
                return f"{sign}{_decimal(left, size)}{unit}"
        minutes, rest = divmod(left, 60_000_000_000)
        text = f"{_decimal(rest, 1_000_000_000)}s"
        if minutes >= 60:
            return f"{sign}{minutes // 60}h{minutes % 60}m{text}"
        return f"{sign}{minutes}m{text}" if minutes else sign + text

    methods: ClassVar[Mapping[str, Function]]


@dataclass(frozen=True, slots=True)
class Time(Rendered):
    """A moment, to the microsecond, in a time zone."""

    moment: datetime

    @classmethod
    def of_seconds(cls, seconds: float) -> Time:
        """Seconds since the epoch, UTC.

        Raises
        ------
        Fault
            If no calendar of four-digit years has the moment.
        """
        try:
            return cls(_EPOCH + timedelta(seconds=seconds))
        except (OverflowError, ValueError):
            raise Fault(f"{seconds:g} s since the epoch is no time of the years 1 to 9999") from None

    @classmethod
    def zero(cls) -> Time:
        """The first moment of the year 1: Go's sign for a time that is not set."""
        return cls(datetime(1, 1, 1, tzinfo=UTC))

    def rendered(self) -> str:
        """As Go prints it: `2006-01-02 15:04:05.5 +0000 UTC`."""
        return self.laid_out(_PRINTED)

    def laid_out(self, layout: str) -> str:
        """By a layout in terms of Go's reference time, `Mon Jan 2 15:04:05 MST 2006`."""
        return _LAYOUT.sub(self._part, layout)

    def _part(self, match: re.Match[str]) -> str:
        part = match[0]
        if part[0] in ".,":
            digits = f"{self.moment.microsecond * 1000:09d}"[: len(part) - 1]
            shown = digits.rstrip("0") if part[1] == "9" else digits
            return part[0] + shown if shown else ""
        return _PARTS[part](self.moment)

    def in_zone(self, zone: tzinfo) -> Time:
        """The same moment on the clocks of another zone."""
        try:
            return Time(self.moment.astimezone(zone))
        except OverflowError:
            raise Fault("the time is not one of the years 1 to 9999 in that zone") from None

    methods: ClassVar[Mapping[str, Function]]


def zone(name: str) -> tzinfo:
    """A time zone by its name in the zone database.

    Raises
    ------
    Fault
        If there is none of the name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Fault(f"there is no time zone {name[:50]!r}") from None


def _decimal(amount: int, size: int) -> str:
    whole, part = divmod(amount, size)
    digits = f"{part:0{len(str(size)) - 1}d}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)


def _offset(moment: datetime, separator: str = "", *, zulu: bool = False) -> str:
    minutes = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    if zulu and not minutes:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{separator}{abs(minutes) % 60:02d}"


_PARTS: dict[str, Callable[[datetime], str]] = {
    "2006": lambda at: f"{at.year:04d}",
    "06": lambda at: f"{at.year % 100:02d}",
    "January": lambda at: _MONTHS[at.month - 1],
    "Jan": lambda at: _MONTHS[at.month - 1][:3],
    "01": lambda at: f"{at.month:02d}",
    "1": lambda at: str(at.month),
    "Monday": lambda at: _DAYS[at.weekday()],
    "Mon": lambda at: _DAYS[at.weekday()][:3],
    "002": lambda at: f"{at.timetuple().tm_yday:03d}",
    "02": lambda at: f"{at.day:02d}",
    "_2": lambda at: f"{at.day:2d}",
    "2": lambda at: str(at.day),
    "15": lambda at: f"{at.hour:02d}",
    "03": lambda at: f"{(at.hour + 11) % 12 + 1:02d}",
    "3": lambda at: str((at.hour + 11) % 12 + 1),
    "04": lambda at: f"{at.minute:02d}",
    "4": lambda at: str(at.minute),
    "05": lambda at: f"{at.second:02d}",
    "5": lambda at: str(at.second),
    "PM": lambda at: "PM" if at.hour >= 12 else "AM",
    "pm": lambda at: "pm" if at.hour >= 12 else "am",
    "MST": lambda at: at.tzname() or "UTC",
    "Z07:00": lambda at: _offset(at, ":", zulu=True),
    "Z0700": lambda at: _offset(at, zulu=True),
    "-07:00": lambda at: _offset(at, ":"),
    "-0700": _offset,
    "-07": lambda at: _offset(at)[:3],
}
# Longest first, so that `2006` is not read as a day; a fraction counts only behind the seconds' digits.
_LAYOUT = re.compile(
    r"(?<=\d)[.,](?:0{1,9}|9{1,9})(?!\d)|" + "|".join(map(re.escape, sorted(_PARTS, key=len, reverse=True)))
)

Duration.methods = {
    "Seconds": Function(lambda span: span.seconds, (Duration,)),
    "Minutes": Function(lambda span: span.seconds / 60, (Duration,)),
    "Hours": Function(lambda span: span.seconds / 3600, (Duration,)),
    "String": Function(Duration.rendered, (Duration,)),
}
Time.methods = {
    "Format": Function(Time.laid_out, (Time, str)),
    "Unix": Function(lambda time: int((time.moment - _EPOCH).total_seconds() // 1), (Time,)),
    "UTC": Function(lambda time: time.in_zone(UTC), (Time,)),
    "String": Function(Time.rendered, (Time,)),
    "Sub": Function(
        lambda time, other: Duration((time.moment - other.moment) // timedelta(microseconds=1) * 1000),
        (Time, Time),
    ),
}
