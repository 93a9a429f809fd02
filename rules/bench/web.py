"""A web process of the bench's own, and what it needs from its environment."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import psutil

from alertsite.core.errors import PlatformError
from alertsite.settings.env import process_variables

START_WITHIN_S: Final = 30.0


class BenchFailed(PlatformError):
    """The bench could not do what it measures."""

    code = "bench.failed"


@contextmanager
def web() -> Iterator[tuple[str, psutil.Process]]:
    """A web process on a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "alertsite.asgi:application", "--port", str(port)]
    with _running([*command, "--log-level", "warning", "--no-access-log"]) as process:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(url, process)
        yield url, psutil.Process(process.pid)


@contextmanager
def worker(queue: str, concurrency: int, **variables: str) -> Iterator[psutil.Process]:
    """A worker with a pool of threads that serves one queue; `variables` come to its environment."""
    command = [sys.executable, "-m", "celery", "-A", "alertsite.celery", "worker", "--queues", queue]
    pool = ["--pool", "threads", "--concurrency", str(concurrency), "--loglevel", "warning"]
    with _running([*command, *pool, "--without-gossip", "--without-mingle"], **variables) as process:
        yield psutil.Process(process.pid)


@contextmanager
def _running(command: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    ours = {
        "DJANGO_SETTINGS_MODULE": "alertsite.settings.base",
        "ALLOW_PRIVATE_WEBHOOKS": "true",
    }
    environment = process_variables() | ours | variables
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 (our own command)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=START_WITHIN_S)


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds of a process."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/healthz", timeout=1)
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise BenchFailed(f"the web process did not answer within {START_WITHIN_S:.0f} s")
