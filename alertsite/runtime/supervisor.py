"""Keeps a set of processes alive, in tiers that start upwards and stop downwards."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from alertsite.runtime.errors import CannotStart
from alertsite.runtime.leftovers import Recorded, format_record, record_of, write_record
from alertsite.runtime.processes import ManagedProcess, ProcessSpec, State, Status

WAIT_STEP_S = 0.1


class Supervisor:
    """Starts processes, keeps a record of them for the guardian, and stops them in order.

    Parameters
    ----------
    logs
        Directory of one log file a process.
    record
        File that names what runs, read by the guardian when this process is killed.
    tell
        Called with a process's status at each change.
    """

    def __init__(self, logs: Path, record: Path, tell: Callable[[Status], None]) -> None:
        self._logs = logs
        self._record = record
        self._tell = tell
        self._recorded: dict[str, Recorded] = {}
        self._managed: list[ManagedProcess] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._guardian: subprocess.Popen[str] | None = None

    @property
    def statuses(self) -> list[Status]:
        """Every process's status, in the order of starting."""
        return [managed.status for managed in self._managed]

    def start(self, specs: Sequence[ProcessSpec]) -> None:
        """Begin to supervise these processes."""
        if self._guardian is None:
            self._guardian = start_guardian(self._record)
        for spec in specs:
            managed = ManagedProcess(spec, self._logs / f"{spec.name}.log", self._note)
            self._managed.append(managed)
            self._tasks[spec.name] = asyncio.create_task(managed.supervise())

    async def wait_healthy(self, names: Sequence[str], within_s: float) -> None:
        """Return when all of these are healthy; raise `CannotStart` naming those that are not in time."""
        deadline = asyncio.get_running_loop().time() + within_s
        while ill := [status for status in self.statuses if status.name in names and not is_healthy(status)]:
            self._raise_failures()
            if asyncio.get_running_loop().time() > deadline:
                faults = ", ".join(f"{status.name} ({status.detail or status.state})" for status in ill)
                raise CannotStart(f"not healthy after {within_s:g} s: {faults}; see {self._logs}")
            await asyncio.sleep(WAIT_STEP_S)

    async def stop(self) -> None:
        """Stop the processes, highest tier first, and then the guardian."""
        downwards = sorted(self._managed, key=lambda managed: -managed.spec.tier)
        for _, tier in groupby(downwards, key=lambda managed: managed.spec.tier):
            together = list(tier)
            await asyncio.gather(*(managed.stop() for managed in together))
            tasks = [self._tasks[managed.spec.name] for managed in together]
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._guardian is not None:
            self._guardian.communicate()
            self._guardian = None

    def _raise_failures(self) -> None:
        for task in self._tasks.values():
            if task.done():
                task.result()

    def _note(self, status: Status) -> None:
        """Record what runs, then pass the status on."""
        before = self._recorded.get(status.name)
        if status.pid is None:
            self._recorded.pop(status.name, None)
        elif before is None or before.pid != status.pid:
            spec = next(managed.spec for managed in self._managed if managed.spec.name == status.name)
            seen = record_of(spec.name, status.pid, spec.stop_signal if spec.keeps_data else signal.SIGKILL)
            if seen is not None:
                self._recorded[status.name] = seen
        if self._recorded.get(status.name) != before:
            self._write_down(format_record(self._recorded.values()))
        self._tell(status)

    def _write_down(self, record: str) -> None:
        """Tell the guardian and the next start what runs; a guardian that was killed cannot be told."""
        write_record(self._record, record)
        if self._guardian is not None and self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.write(f"{record}\n")
                self._guardian.stdin.flush()


def is_healthy(status: Status) -> bool:
    """Whether the process answers as it should."""
    return status.state is State.HEALTHY


def start_guardian(record: Path) -> subprocess.Popen[str]:
    """Start the process that ends what is recorded when this one ends without doing so."""
    return subprocess.Popen(  # noqa: S603 (our own module)
        [sys.executable, "-m", "alertsite.runtime.leftovers", str(record)],
        cwd=Path(__file__).resolve().parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
