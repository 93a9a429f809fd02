"""Signs of life of workers and beat, for whoever supervises them without asking them over the broker.

In: the path of a file. Out: its modification time, renewed while the process makes progress, and its age.
`python -m alertsite.runtime.heartbeat FILE` exits 0 when the file is fresh: a health check for containers.
"""

from __future__ import annotations

import sys
from pathlib import Path

from alertsite.core.clock import SystemClock

INTERVAL_S = 3.0
STALE_AFTER_S = 30.0


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
