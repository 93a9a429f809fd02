"""Ends processes whose supervisor was killed.

The supervisor records what it runs at each change: down a pipe to the guardian, which acts when the pipe
ends, and in a file for the next start, in case the guardian was killed too. A recorded process is ended
only if its start time is the recorded one, so that a number which the system gave to another program harms
nobody.

`python -m alertsite.runtime.leftovers RECORD` is the guardian: it reads a record a line from standard input.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
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


def format_record(processes: Iterable[Recorded]) -> str:
    """A record in one line, oldest process first."""
    return json.dumps([asdict(process) for process in processes])


def parse_record(line: str) -> list[Recorded]:
    """What a line records; nothing where it is no record."""
    try:
        return [Recorded(**entry) for entry in json.loads(line)]
    except (ValueError, TypeError):
        return []


def write_record(path: Path, line: str) -> None:
    """Replace the file's record."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(line, encoding="utf-8")
    unfinished.replace(path)


def end_recorded(path: Path) -> list[str]:
    """End what the file records, remove the file, and return the names of what still ran."""
    try:
        line = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    ended = end_leftovers(parse_record(line))
    path.unlink(missing_ok=True)
    return ended


def end_leftovers(processes: Sequence[Recorded]) -> list[str]:
    """End each of these that still runs, youngest first, and return their names."""
    ended = []
    for recorded in reversed(processes):
        process = still_running(recorded)
        if process is not None:
            end(process, recorded.stop_signal)
            ended.append(recorded.name)
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
    """Wait for the end of standard input, then end what its last line recorded."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    record = ""
    for line in sys.stdin:
        record = line
    end_leftovers(parse_record(record))
    Path(arguments[0]).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
