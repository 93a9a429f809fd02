"""Signs of life of workers and beat, for whoever supervises them without asking them over the broker.

In: the path `settings.HEARTBEAT_FILE`. Out: that file's modification time, renewed while the process makes
progress. `python -m alertsite.runtime.heartbeat FILE` exits 0 when the file is fresh: a health check for
containers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from celery import bootsteps
from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler

from alertsite.core.clock import SystemClock

INTERVAL_S = 3.0
STALE_AFTER_S = 30.0


class HeartbeatStep(bootsteps.StartStopStep):
    """Touches the heartbeat file from the worker's own timer."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer_entry: Any = None

    def start(self, parent: Any) -> None:
        """Begin to touch the file, if one is named."""
        path = settings.HEARTBEAT_FILE
        if path:
            self._timer_entry = parent.timer.call_repeatedly(INTERVAL_S, touch, (path,))

    def stop(self, parent: Any) -> None:  # noqa: ARG002 (the interface of a boot step)
        """Stop touching the file."""
        if self._timer_entry is not None:
            self._timer_entry.cancel()
            self._timer_entry = None


class BeatingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The scheduler of django-celery-beat, which leaves a sign of life at each tick."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Send what is due, then touch the heartbeat file: a tick that hangs or fails leaves it stale."""
        next_tick_s = super().tick(*args, **kwargs)
        if settings.HEARTBEAT_FILE:
            touch(settings.HEARTBEAT_FILE)
        return next_tick_s


def touch(path: str) -> None:
    """Renew the file's modification time."""
    Path(path).touch()


def age_s(path: Path, *, now_ms: int) -> float | None:
    """Seconds since the file was touched; None when it is not there."""
    try:
        return now_ms / 1000 - path.stat().st_mtime
    except FileNotFoundError:
        return None


def main(arguments: list[str]) -> int:
    """0 when the file named by the only argument was touched within `STALE_AFTER_S`, else 1."""
    age = age_s(Path(arguments[0]), now_ms=SystemClock().now_ms())
    return 0 if age is not None and age < STALE_AFTER_S else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
