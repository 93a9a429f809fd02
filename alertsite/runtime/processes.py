"""One supervised process: started, watched, restarted with growing pauses, stopped politely or not.

In: a `ProcessSpec`. Out: a `Status` that changes, told to whoever listens, and a log file. Every process
leads a group of its own, and its end ends the group: a pool that was killed leaves no children behind.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from logging.handlers import RotatingFileHandler
from pathlib import Path

from alertsite.runtime.account import Account, start_as
from alertsite.runtime.errors import CannotStart
from alertsite.runtime.text import last_line

LOG_BYTES = 5_000_000
LOG_FILES = 3
CHUNK_BYTES = 65_536
OUTPUT_WITHIN_S = 2.0
LAST_OUTPUT = 500


class State(StrEnum):
    """What a process is doing, as the screen shows it."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a process is looked at and how patiently. Seconds, save the last."""

    probe_every_s: float = 2.0
    first_probes_every_s: float = 0.2
    start_within_s: float = 90.0
    stop_within_s: float = 20.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 30.0
    stable_after_s: float = 60.0
    faults_allowed: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run.

    Attributes
    ----------
    probe
        Says what is wrong with the process, or the empty string.
    tier
        Lower tiers start first and stop last; processes of one tier stop together.
    keeps_data
        Whether it must be asked to stop even where everything else is killed.
    """

    name: str
    command: tuple[str, ...]
    probe: Callable[[], Awaitable[str]]
    tier: int
    environment: Mapping[str, str]
    directory: Path
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    keeps_data: bool = False
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class Status:
    """What is known of a process now."""

    name: str
    state: State = State.STARTING
    pid: int | None = None
    restarts: int = 0
    detail: str = ""


class ManagedProcess:
    """Keeps one process alive until told to stop."""

    def __init__(self, spec: ProcessSpec, log_file: Path, tell: Callable[[Status], None]) -> None:
        self.spec = spec
        self.status = Status(spec.name)
        self._tell = tell
        self._log = open_log(log_file)
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._last_output = ""

    async def supervise(self) -> None:
        """Run the process again and again until `stop`."""
        pause_s = self.spec.pace.first_pause_s
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                await self._run_once()
                if self._stopping.is_set():
                    break
                if time.monotonic() - began > self.spec.pace.stable_after_s:
                    pause_s = self.spec.pace.first_pause_s
                self.status.restarts += 1
                self._become(State.RESTARTING, f"{self.status.detail}; again in {pause_s:g} s")
                await elapses(self._stopping, pause_s)
                pause_s = min(pause_s * 2, self.spec.pace.longest_pause_s)
        finally:
            self._become(State.STOPPED, "")
            self._log.close()

    async def stop(self) -> None:
        """Ask the process to end, and end it when it does not."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._become(State.STOPPING, "")
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.spec.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self.spec.pace.stop_within_s)
        except TimeoutError:
            kill_group(process.pid)
            await process.wait()

    async def _run_once(self) -> None:
        """Start the process, and watch it until it has ended and its output is written."""
        output, process = await self._start()
        self._process = process
        self.status.pid = process.pid
        self._become(State.STARTING, "")
        self._last_output = ""
        if self._stopping.is_set():  # while it was being started
            kill_group(process.pid)
        pump = asyncio.create_task(self._pump(output))
        watch = asyncio.create_task(self._watch(process))
        code = await process.wait()
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
        kill_group(process.pid)
        with contextlib.suppress(TimeoutError):  # whoever left the group may hold the pipe open
            await asyncio.wait_for(pump, OUTPUT_WITHIN_S)
        self.status.pid = None
        if self.status.state is not State.UNHEALTHY:
            self.status.detail = f"{describe_exit(code)} {last_line(self._last_output)}".strip()

    async def _start(self) -> tuple[int, asyncio.subprocess.Process]:
        """Start the process; also return the end of a pipe where its output arrives.

        The pipe is ours: asyncio's own would hide the end of the process until its children closed theirs.
        """
        output, end_of_process = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                cwd=self.spec.directory,
                env=dict(self.spec.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=end_of_process,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                **start_as(self.spec.account),
            )
        except OSError as error:
            os.close(output)
            raise CannotStart(f"cannot run {self.spec.command[0]}: {error.strerror}") from None
        finally:
            os.close(end_of_process)
        return output, process

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Probe until the process failed too often or never came up, then kill it; its end restarts it."""
        pace = self.spec.pace
        deadline = time.monotonic() + pace.start_within_s
        faults = 0
        while True:
            fault = await self.spec.probe()
            if self._stopping.is_set():
                return
            if not fault:
                faults = 0
                self._become(State.HEALTHY, "")
            elif self.status.state is State.STARTING:
                if time.monotonic() > deadline:
                    break
            else:
                faults += 1
                if faults >= pace.faults_allowed:
                    break
            starting = self.status.state is State.STARTING
            await asyncio.sleep(pace.first_probes_every_s if starting else pace.probe_every_s)
        self._become(State.UNHEALTHY, fault)
        kill_group(process.pid)

    async def _pump(self, output: int) -> None:
        """Copy what arrives at the pipe into the log file."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(output, "rb", buffering=0)
        )
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        try:
            while chunk := await stream.read(CHUNK_BYTES):
                text = decoder.decode(chunk)
                self._last_output = (self._last_output + text)[-LAST_OUTPUT:]
                self._log.emit(logging.LogRecord(self.spec.name, logging.INFO, "", 0, text, None, None))
        finally:
            transport.close()

    def _become(self, state: State, detail: str) -> None:
        changed = (self.status.state, self.status.detail) != (state, detail) or state is State.STARTING
        self.status.state, self.status.detail = state, detail
        if changed:
            self._tell(self.status)


def open_log(path: Path) -> RotatingFileHandler:
    """A log file that takes output as it comes and starts anew when it is full, keeping the last ones."""
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
    handler.terminator = ""
    return handler


async def elapses(event: asyncio.Event, within_s: float) -> None:
    """Return after `within_s`, or at once when the event is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), within_s)


def kill_group(pid: int) -> None:
    """Kill a process that leads a group, and whatever is left of the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says so of a group of zombies
        os.killpg(pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """In words, how a process ended."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exited with {code}"
