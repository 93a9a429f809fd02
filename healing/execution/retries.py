"""When to ask a provider again.

In: how often it was asked, what it said. Out: after how many milliseconds, or that it is enough. Used for
calls that were certainly not accepted, and for asking how far an accepted one has come.
"""

from __future__ import annotations

from random import Random
from typing import Final

MAX_TRIES: Final = 8
FIRST_MS: Final = 1_000
LONGEST_MS: Final = 60_000
POLL_MS: Final = (1_000, 2_000, 5_000, 10_000, 15_000)


def retry_after_ms(tries: int, *, asked_s: float | None, random: Random) -> int | None:
    """How long to wait before asking again after so many tries; None when it is enough."""
    if tries >= MAX_TRIES:
        return None
    if asked_s is not None:
        return min(round(asked_s * 1000), 10 * LONGEST_MS)
    longest = min(FIRST_MS << tries, LONGEST_MS)
    return longest // 2 + random.randrange(longest // 2 + 1)


def poll_after_ms(polls: int) -> int:
    """How long to wait before asking again how far it has come."""
    return POLL_MS[min(polls, len(POLL_MS) - 1)]
