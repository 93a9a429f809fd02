"""Windows that come again: an RFC 5545 rule with a duration, by the wall clock of a time zone.

In: the text of an RRULE, a duration and a zone; the first start and a time in milliseconds. Out: whether
the time lies in a window. A start in the hour a zone skips happens at the offset before the gap; one in
the hour it repeats, the first time. Refused: rules finer than hourly, rules that never happen, more than one
second of a minute, and rules that expand to more than `MAX_STARTS_PER_DAY`.

The work is bounded. `dateutil` searches a rule without further occurrences to the year 9999, so it is run
in years that resemble the asked ones (the calendar repeats after 28 years, between centuries that are no
leap years) but end with that horizon.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from rules.alerts.errors import InvalidRecurrence

MAX_RULE_LENGTH = 500
MAX_DURATION_MS = 31 * 86_400_000
MAX_STARTS_PER_DAY = 24
MAX_COUNT = 1000
MAX_INTERVAL = 1000
MAX_SECOND = 59
FIRST_YEAR, LAST_YEAR = 1970, 2099

_DAY_PARTS = frozenset({"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"})
_TIME_PARTS = frozenset({"BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS"})
_PARTS = _DAY_PARTS | _TIME_PARTS | {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
_CYCLE_YEARS = 28
_CYCLE_BEGIN = 1960
_LAST_CYCLE_BEGIN = _CYCLE_BEGIN + 8000  # 8000 years are twenty whole cycles of the Gregorian calendar
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows of `duration_ms` that begin as the rule says, in the zone's wall-clock time.

    Raises
    ------
    InvalidRecurrence
        If rule, duration or zone is refused. That the rule happens at all is `check`ed with its first start.
    """

    rrule: str
    duration_ms: int
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        _parts(self.rrule)
        _zone(self.timezone)
        if not 0 < self.duration_ms <= MAX_DURATION_MS:
            raise InvalidRecurrence(
                f"duration is {self.duration_ms} ms, accepts more than 0 and at most {MAX_DURATION_MS}"
            )

    def check(self, starts_ms: int) -> None:
        """Refuse a rule that cannot be followed from this first start, or never happens.

        Raises
        ------
        InvalidRecurrence
            If it does not.
        """
        if _expansion(self.rrule, self.timezone, starts_ms).first is None:
            raise InvalidRecurrence(f"rule {self.rrule!r} never happens")

    def holds(self, starts_ms: int, at_ms: int) -> bool:
        """Whether a window that began at or after `starts_ms` covers the time."""
        start_ms = self.window_start_ms(starts_ms, at_ms)
        return start_ms is not None and at_ms < start_ms + self.duration_ms

    def window_start_ms(self, starts_ms: int, at_ms: int) -> int | None:
        """The last start at or before the time, if one lies within a window's length before it."""
        lowest_ms = max(starts_ms, at_ms - self.duration_ms)
        day_ms = at_ms - at_ms % 86_400_000
        starts = _starts(self, starts_ms, day_ms)
        return max((start for start in starts if lowest_ms <= start <= at_ms), default=None)


def _parts(text: str) -> dict[str, str]:
    """The rule's parts by name, each once and known."""
    if not text or len(text) > MAX_RULE_LENGTH:
        raise InvalidRecurrence(f"rule has {len(text)} characters, accepts 1 to {MAX_RULE_LENGTH}")
    parts: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS or not value or name in parts:
            raise InvalidRecurrence(f"part {part!r} of the rule is unknown, empty, or stands twice")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise InvalidRecurrence(f"FREQ is {parts.get('FREQ')}, accepts {', '.join(_FREQUENCIES)}")
    _check_numbers(parts)
    return parts


def _check_numbers(parts: dict[str, str]) -> None:
    for name, limit in (("COUNT", MAX_COUNT), ("INTERVAL", MAX_INTERVAL)):
        value = parts.get(name, "1")
        if not value.isdecimal() or not 1 <= int(value) <= limit:
            raise InvalidRecurrence(f"{name} is {value}, accepts 1 to {limit}")
    if parts.get("WKST", "MO") not in _WEEKDAYS:
        raise InvalidRecurrence(f"WKST is {parts['WKST']}, accepts {', '.join(_WEEKDAYS)}")
    second = parts.get("BYSECOND", "0")  # one, as libraries write out the start; more would be one window
    if not second.isdecimal() or int(second) > MAX_SECOND:
        raise InvalidRecurrence(f"BYSECOND is {second}, accepts one second, 0 to {MAX_SECOND}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise InvalidRecurrence("the rule has both COUNT and UNTIL")
    hours = 24 if parts["FREQ"] == "HOURLY" else len(parts.get("BYHOUR", "").split(","))
    starts = hours * len(parts.get("BYMINUTE", "").split(","))
    if starts > MAX_STARTS_PER_DAY:
        raise InvalidRecurrence(f"the rule begins {starts} times a day, limit is {MAX_STARTS_PER_DAY}")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidRecurrence(f"unknown time zone {name!r}") from None


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    """What the wall clock shows, without a zone."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)


def _instant(local: datetime, zone: ZoneInfo) -> int:
    return round(local.replace(tzinfo=zone).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class _Expansion:
    """A rule as it is followed: without COUNT and UNTIL, what its start implied written out."""

    text: str
    begin: datetime
    """The first start there could be, by the wall clock."""
    first: datetime | None
    """The first there is."""
    last: datetime | None
    """The last there may be; None without end."""


@lru_cache(maxsize=1024)
def _expansion(text: str, timezone: str, starts_ms: int) -> _Expansion:
    zone = _zone(timezone)
    begin = _local(starts_ms, zone).replace(microsecond=0)
    if not FIRST_YEAR <= begin.year <= LAST_YEAR:
        raise InvalidRecurrence(f"recurrence begins in {begin.year}, accepts {FIRST_YEAR} to {LAST_YEAR}")
    parts = _parts(text)
    last = _until(parts.pop("UNTIL", ""), zone)
    count = int(parts.pop("COUNT", 0))
    bare = ";".join(f"{name}={value}" for name, value in _explicit(parts, begin).items())
    expansion = _Expansion(bare, begin, None, last)
    starts = list(islice(_iterate(expansion, begin), max(count, 1)))
    if last is not None:
        starts = [start for start in starts if start <= last]
    if count and len(starts) == count:
        last = starts[-1]
    return _Expansion(bare, begin, starts[0] if starts else None, last)


def _until(text: str, zone: ZoneInfo) -> datetime | None:
    """UNTIL by the wall clock: a date holds to its end, a time in UTC is converted."""
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d") if text else ():
        try:
            until = datetime.strptime(text, form)  # noqa: DTZ007 (a wall-clock time)
        except ValueError:
            continue
        if form.endswith("Z"):
            return until.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        return until if "H" in form else until + timedelta(days=1, seconds=-1)
    if text:
        raise InvalidRecurrence(f"UNTIL is {text}, accepts 20260131, 20260131T120000 or 20260131T120000Z")
    return None


def _explicit(parts: dict[str, str], begin: datetime) -> dict[str, str]:
    """Write out what RFC 5545 takes from the first start, so that the search may begin elsewhere."""
    explicit = {"BYMINUTE": str(begin.minute), "BYSECOND": str(begin.second), **parts}
    if parts["FREQ"] != "HOURLY":
        explicit = {"BYHOUR": str(begin.hour), **explicit}
    if not (_DAY_PARTS - {"BYMONTH"}) & parts.keys():
        if parts["FREQ"] == "WEEKLY":
            explicit["BYDAY"] = _WEEKDAYS[begin.weekday()]
        elif parts["FREQ"] in {"MONTHLY", "YEARLY"}:
            explicit["BYMONTHDAY"] = str(begin.day)
        if parts["FREQ"] == "YEARLY":
            explicit.setdefault("BYMONTH", str(begin.month))
    return explicit


@lru_cache(maxsize=8192)
def _starts(recurrence: Recurrence, starts_ms: int, day_ms: int) -> tuple[int, ...]:
    """Starts of all windows that may reach into this day of UTC, in order."""
    zone = _zone(recurrence.timezone)
    expansion = _expansion(recurrence.rrule, recurrence.timezone, starts_ms)
    lowest = _local(day_ms - recurrence.duration_ms, zone) - timedelta(hours=3)
    highest = _local(day_ms + 86_400_000, zone) + timedelta(hours=3)
    if not FIRST_YEAR <= highest.year <= LAST_YEAR:
        return ()
    if expansion.last is not None:
        highest = min(highest, expansion.last)
    found = takewhile(lambda start: start <= highest, _iterate(expansion, lowest))
    return tuple(_instant(start, zone) for start in found if start >= lowest)


def _iterate(expansion: _Expansion, near: datetime) -> Iterator[datetime]:
    """Starts from the period of the rule around `near` onwards, in order, none before the first start."""
    anchor = _anchor(expansion, near)
    if not FIRST_YEAR <= anchor.year <= LAST_YEAR:
        return
    likeness = anchor.replace(year=_LAST_CYCLE_BEGIN + (anchor.year - _CYCLE_BEGIN) % _CYCLE_YEARS)
    try:
        for start in rrulestr(expansion.text, dtstart=likeness):
            real = start - (likeness - anchor)
            if real.year > LAST_YEAR:
                return
            if real >= expansion.begin:
                yield real
    except (ValueError, IndexError, OverflowError, TypeError) as error:  # dateutil's ways to refuse
        raise InvalidRecurrence(f"rule {expansion.text!r}: {error}") from None


def _anchor(expansion: _Expansion, near: datetime) -> datetime:
    """Where the period around `near` begins, or the first one: whole intervals from the period of the
    start.
    """
    parts = _parts(expansion.text)
    interval = int(parts.get("INTERVAL", 1))
    begin = expansion.begin
    hour = begin.replace(minute=0, second=0)
    day = hour.replace(hour=0)
    if parts["FREQ"] in {"YEARLY", "MONTHLY"}:
        months = interval * (12 if parts["FREQ"] == "YEARLY" else 1)
        first = day.replace(day=1) if parts["FREQ"] == "MONTHLY" else day.replace(month=1, day=1)
        passed = (near.year - first.year) * 12 + near.month - first.month
        total = first.year * 12 + first.month - 1 + max(0, passed // months) * months
        return first.replace(year=min(total // 12, MAXYEAR), month=total % 12 + 1)
    if parts["FREQ"] == "WEEKLY":
        first_weekday = _WEEKDAYS.index(parts.get("WKST", "MO"))
        first, unit = day - timedelta(days=(day.weekday() - first_weekday) % 7), timedelta(weeks=interval)
    elif parts["FREQ"] == "DAILY":
        first, unit = day, timedelta(days=interval)
    else:
        first, unit = hour, timedelta(hours=interval)
    return first + max(0, (near - first) // unit) * unit
