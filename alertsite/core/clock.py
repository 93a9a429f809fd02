"""Time as an argument. Only this module reads the system clock; tests pass a clock of their own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where `now` comes from."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


def to_datetime(timestamp_ms: int) -> datetime:
    """An aware UTC datetime for milliseconds since the epoch."""
    return datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC)


def from_datetime(moment: datetime) -> int:
    """Milliseconds since the epoch for an aware datetime."""
    return round(moment.timestamp() * 1000)
