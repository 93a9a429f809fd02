"""Ends processes whose supervisor was killed.

The supervisor records what it runs. Two read the record: the guardian, which learns of the supervisor's end
by the end of a pipe, and the next start, in case the guardian was killed too. A recorded process is ended
only if its start time is the recorded one, so that a number which the system gave to another program harms
nobody.

`python -m alertsite.runtime.leftovers RECORD` is the guardian: it waits for the end of its standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

WITHIN_S = 15.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process that was started; `started` is its start time as the system tells it, in seconds."""

    name: str
    pid: int
    started: float
    stop_signal: int


def record_of(name: str, pid: int, stop_signal: int) -> Recorded | None:
    """What to write down of a process that runs now; None when it has ended already."""
    try:
        return Recorded(name, pid, psutil.Process(pid).create_time(), stop_signal)
    except psutil.NoSuchProcess:
        return None


def write_record(path: Path, processes: Iterable[Recorded]) -> None:
    """Replace the record, oldest process first."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps([asdict(process) for process in processes]), encoding="utf-8")
    unfinished.replace(path)


def read_record(path: Path) -> list[Recorded]:
    """What is recorded, oldest first; nothing where there is no readable record."""
    try:
        return [Recorded(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def end_leftovers(path: Path) -> list[str]:
    """End every recorded process that still runs, youngest first, and return their names."""
    ended = []
    for recorded in reversed(read_record(path)):
        process = still_running(recorded)
        if process is not None:
            end(process, recorded.stop_signal)
            ended.append(recorded.name)
    path.unlink(missing_ok=True)
    return ended


def has_ended(process: psutil.Process) -> bool:
    """Whether the process is gone, or waits only for a parent to notice that it is."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE or not process.is_running()
    except psutil.NoSuchProcess:
        return True


def still_running(recorded: Recorded) -> psutil.Process | None:
    """The recorded process, if it is the one that was recorded."""
    try:
        process = psutil.Process(recorded.pid)
        same = abs(process.create_time() - recorded.started) < 1
    except psutil.NoSuchProcess:
        return None
    return process if same and not has_ended(process) else None


def end(process: psutil.Process, stop_signal: int) -> None:
    """Signal a process, give it time unless the signal is final, then kill its group."""
    deadline = time.monotonic() + WITHIN_S
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(stop_signal)
    while stop_signal != signal.SIGKILL and not has_ended(process) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Wait for the end of standard input, then end what is recorded."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_leftovers(Path(arguments[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
