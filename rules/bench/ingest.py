"""Measuring ingestion: remote write through HTTP, authentication included, into Redis.

A web process of its own is started; the sender's work (encoding, compressing) is done before and not counted.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import cramjam
import httpx
import psutil

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from alertsite.settings.env import process_variables
from alertsite.tenancy.services import create_api_key, create_tenant
from rules.bench.accounting import Meter
from rules.bench.workloads import Workload
from rules.services.stores import redis_client

SERIES: Final = 20_000
SAMPLES_A_REQUEST: Final = 2000
WARM_UP_ROUNDS: Final = 3
START_WITHIN_S: Final = 30.0


class BenchFailed(PlatformError):
    """The bench could not do what it measures."""

    code = "bench.failed"


@dataclass(frozen=True, slots=True)
class Ingested:
    """Figures of ingestion."""

    work: str
    samples: int
    requests: int
    samples_per_cpu_s: float
    web_cpu_s: float
    redis_cpu_s: float
    postgres_cpu_s: float
    samples_per_wall_s: float


def measure_ingestion(rounds: int) -> Ingested:
    """Send `rounds` samples of each of `SERIES` series."""
    tenant = create_tenant(f"ingest-{SystemClock().now_ms()}", "ingest bench")
    secret = create_api_key("bench", tenant=tenant).secret
    label_sets = Workload("ingest", SERIES, 1, str).label_sets()
    meter = Meter(redis_client())
    with _web() as (url, process), httpx.Client(headers={"Authorization": f"Bearer {secret}"}) as client:
        for number in range(WARM_UP_ROUNDS):
            _send(client, url, _bodies(label_sets, number))
        bodies = [body for number in range(rounds) for body in _bodies(label_sets, WARM_UP_ROUNDS + number)]
        before, web_before, began = meter.read(), _cpu_s(process), time.perf_counter()
        _send(client, url, bodies)
        wall_s = time.perf_counter() - began
        spent, web_s = meter.read() - before, _cpu_s(process) - web_before
    samples = len(label_sets) * rounds
    return Ingested(
        work="ingest",
        samples=samples,
        requests=len(bodies),
        samples_per_cpu_s=samples / (web_s + spent.redis + spent.postgres),
        web_cpu_s=web_s,
        redis_cpu_s=spent.redis,
        postgres_cpu_s=spent.postgres,
        samples_per_wall_s=samples / wall_s,
    )


def _send(client: httpx.Client, url: str, bodies: Sequence[bytes]) -> None:
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    for body in bodies:
        answer = client.post(f"{url}/prometheus/api/v1/write", content=body, headers=headers)
        if answer.status_code != 204:
            raise BenchFailed(f"remote write answered {answer.status_code}: {answer.text[:200]}")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _web() -> Iterator[tuple[str, psutil.Process]]:
    """A web process on a free port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "alertsite.asgi:application", "--port", str(port)]
    quiet = ["--log-level", "warning", "--no-access-log"]
    environment = process_variables() | {
        "DJANGO_SETTINGS_MODULE": "alertsite.settings.base",
        "DATABASE_POOL_SIZE": "4",
    }
    with subprocess.Popen([*command, *quiet], env=environment) as process:  # noqa: S603 (our own command)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_up(url, process)
            yield url, psutil.Process(process.pid)
        finally:
            process.terminate()


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


def _bodies(label_sets: Sequence[LabelSet], number: int) -> list[bytes]:
    """Request bodies with one sample of each series."""
    timestamp_ms = SystemClock().now_ms() - 600_000 + number * 1000
    return [
        encode_write_request(label_sets[start : start + SAMPLES_A_REQUEST], timestamp_ms, float(number))
        for start in range(0, len(label_sets), SAMPLES_A_REQUEST)
    ]


def encode_write_request(label_sets: Sequence[LabelSet], timestamp_ms: int, value: float) -> bytes:
    """A remote write 1.0 body: one sample a series."""
    sample = b"\x09" + struct.pack("<d", value) + b"\x10" + varint(timestamp_ms)
    series = (
        b"".join(_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in labels)
        + _field(2, sample)
        for labels in label_sets
    )
    return bytes(cramjam.snappy.compress_raw(b"".join(_field(1, one) for one in series)))


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """A protobuf varint of a number that is not negative."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
