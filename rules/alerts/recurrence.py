"""Windows that come again: an RFC 5545 rule with a duration, by the wall clock of a time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Windows of `duration_ms` that begin as the rule says, in the zone's wall-clock time."""

    rrule: str
    duration_ms: int
    timezone: str = "UTC"

    def holds(self, starts_ms: int, at_ms: int) -> bool:
        """Whether a window that began at or after `starts_ms` covers the time."""
        zone = ZoneInfo(self.timezone)
        first = datetime.fromtimestamp(starts_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).replace(tzinfo=None)
        begin = rrulestr(self.rrule, dtstart=first).before(at, inc=True)
        return begin is not None and (at - begin).total_seconds() * 1000 < self.duration_ms
