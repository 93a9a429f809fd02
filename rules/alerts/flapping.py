"""Flapping: an alert that changes its state too often to be told each time.

In: the times at which an alert changed state. Out: whether it flaps, since when, and how often it
changed. As Nagios and Icinga do, two thresholds give hysteresis: it begins at the higher and ends below
the lower one, so that an alert on the edge does not flap between flapping and not. Counts are used where
those use percentages of a fixed number of checks: here the checks of a window differ by rule.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from alertsite.core.errors import InvalidParameter


class FlappingReason(enum.StrEnum):
    """Why an alert counts as flapping, or does not."""

    STEADY = "steady"
    BEGAN = "began"
    GOES_ON = "goes_on"
    ENDED = "ended"
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class FlappingTerms:
    """Begins at `start_changes` within `window_ms`, ends below `stop_changes`; `exempt` undoes it for
    this alert.

    Raises
    ------
    InvalidParameter
        If the window is not positive, or stop lies not between 1 and start.
    """

    window_ms: int
    start_changes: int
    stop_changes: int
    exempt: bool = False

    def __post_init__(self) -> None:
        if self.window_ms <= 0:
            raise InvalidParameter("window_ms", self.window_ms, "more than 0")
        if not 1 <= self.stop_changes <= self.start_changes:
            raise InvalidParameter("stop_changes", self.stop_changes, f"1 to {self.start_changes}")


@dataclass(frozen=True, slots=True)
class Flapping:
    """Whether an alert flaps. `since_ms` is None while it does not; `changes` are those of the window."""

    state: bool
    changes: int
    since_ms: int | None
    reason: FlappingReason
    next_look_ms: int | None = None
    """While it flaps: when it would end if nothing changed any more."""


def judge(
    changed_ms: Sequence[int], terms: FlappingTerms, *, before: Flapping | None, now_ms: int
) -> Flapping:
    """Whether the alert flaps now. `changed_ms` ascend; `before` is the last judgement of the same alert."""
    first = bisect_right(changed_ms, now_ms - terms.window_ms)
    window = changed_ms[first : bisect_right(changed_ms, now_ms)]
    flapped = before is not None and before.state
    if terms.exempt:
        return Flapping(False, len(window), None, FlappingReason.EXEMPT)
    if len(window) < (terms.stop_changes if flapped else terms.start_changes):
        reason = FlappingReason.ENDED if flapped else FlappingReason.STEADY
        return Flapping(False, len(window), None, reason)
    since_ms = before.since_ms if before is not None and flapped else now_ms
    reason = FlappingReason.GOES_ON if flapped else FlappingReason.BEGAN
    calm_ms = window[len(window) - terms.stop_changes] + terms.window_ms
    return Flapping(True, len(window), since_ms, reason, calm_ms)
