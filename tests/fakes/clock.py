"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import datetime, timedelta

from alertsite.core.clock import from_datetime, to_datetime


class FakeClock:
    def __init__(self, now: datetime) -> None:
        self._now_ms = from_datetime(now)

    def now_ms(self) -> int:
        return self._now_ms

    def now(self) -> datetime:
        return to_datetime(self._now_ms)

    def advance(self, **delta: float) -> None:
        self._now_ms += round(timedelta(**delta).total_seconds() * 1000)
