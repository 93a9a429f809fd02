"""Measuring ingestion: remote write through HTTP, authentication included, into Redis.

A web process of its own is started; the sender's work (encoding, compressing) is done before and not counted.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cramjam
import httpx

from alertsite.core.clock import SystemClock
from alertsite.core.labels import LabelSet
from alertsite.tenancy.services import create_api_key, create_tenant
from rules.bench.accounting import Meter
from rules.bench.web import BenchFailed, cpu_s, web
from rules.bench.workloads import Workload
from rules.services.stores import redis_client

SERIES: Final = 20_000
SAMPLES_A_REQUEST: Final = 2000
WARM_UP_ROUNDS: Final = 3


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
    with web() as (url, process), httpx.Client(headers={"Authorization": f"Bearer {secret}"}) as client:
        for number in range(WARM_UP_ROUNDS):
            _send(client, url, _bodies(label_sets, number))
        bodies = [body for number in range(rounds) for body in _bodies(label_sets, WARM_UP_ROUNDS + number)]
        before, web_before, began = meter.read(), cpu_s(process), time.perf_counter()
        _send(client, url, bodies)
        wall_s = time.perf_counter() - began
        spent, web_s = meter.read() - before, cpu_s(process) - web_before
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
