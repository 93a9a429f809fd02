"""Which ticks of a shard are due. A tick is a multiple of the interval plus the shard's phase."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a shard's ticks fall."""

    interval_ms: int
    phase_ms: int

    def first_after(self, moment_ms: int) -> int:
        """The earliest tick strictly after a moment."""
        return (
            (moment_ms - self.phase_ms) // self.interval_ms * self.interval_ms
            + self.interval_ms
            + self.phase_ms
        )


@dataclass(frozen=True, slots=True)
class DueTicks:
    """Ticks whose time has come, oldest first."""

    skipped: range
    """Too old to be caught up: recorded, not evaluated."""
    evaluate: range
    """To be evaluated in this order through the same state machine."""
    next_due_ms: int


def due_ticks(timetable: Timetable, *, next_due_ms: int, now_ms: int, max_catch_up: int) -> DueTicks:
    """Split what is due into ticks to evaluate, at most `max_catch_up` late ones and the newest, and older
    ones.
    """
    step = timetable.interval_ms
    ticks = range(next_due_ms, now_ms + 1, step)
    keep = max_catch_up + 1
    skipped, evaluate = (ticks[:-keep], ticks[-keep:]) if len(ticks) > keep else (ticks[:0], ticks)
    return DueTicks(skipped, evaluate, next_due_ms + len(ticks) * step)
