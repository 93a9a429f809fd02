"""Whether what was done has worked: healthy, without a break, for a time.

In: how long it has been healthy, and whether it is now. Out: a named reason. What cannot be told is not
healthy.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace


class Health(enum.StrEnum):
    """How a verification stands."""

    PROVEN = "proven"
    HEALTHY = "healthy"
    """Not for long enough yet."""
    UNHEALTHY = "unhealthy"
    FLAPPED = "flapped"
    """It was healthy and is not: the time starts again."""
    OUT_OF_TIME = "out_of_time"


@dataclass(frozen=True, slots=True)
class Watch:
    """A verification under way. Milliseconds."""

    until_ms: int
    """When it has failed if it is not proven."""
    healthy_for_ms: int
    since_ms: int | None = None
    """Since when it is healthy."""
    flaps: int = 0


def look(watch: Watch, *, healthy: bool | None, now_ms: int) -> tuple[Health, Watch]:
    """How it stands, and the watch to go on with."""
    if healthy:
        since_ms = now_ms if watch.since_ms is None else watch.since_ms
        going_on = replace(watch, since_ms=since_ms)
        if now_ms - since_ms >= watch.healthy_for_ms:
            return Health.PROVEN, going_on
        return (Health.OUT_OF_TIME if now_ms >= watch.until_ms else Health.HEALTHY), going_on
    broken = replace(watch, since_ms=None, flaps=watch.flaps + (watch.since_ms is not None))
    if now_ms >= watch.until_ms:
        return Health.OUT_OF_TIME, broken
    return (Health.UNHEALTHY if watch.since_ms is None else Health.FLAPPED), broken
