"""What the series store costs: decoding, the whole ingest path, appending, reading, memory. Run by hand:

    python tests/bench/series.py redis://127.0.0.1:6379/15 --series 10000 100000

against a Redis that may be filled; the keys of tenant `bench` are deleted before and after. Times are CPU
seconds of this process and of Redis, by their own accounting. One JSON object a line.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections.abc import Callable

import cramjam
import numpy as np
import psutil
import redis

from alertsite.core.labels import label_set
from alertsite.core.samples import Columns
from rules.series.backends.archive import ClosedBlock, decode_block, encode_block
from rules.series.backends.redis_hot import RedisSeries
from rules.series.encoding import encode_labels
from rules.series.ingest.remote_write import decode_write_request, decompress, ingest_remote_write
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch

STEP_MS = 15_000
START_MS = 1_700_000_400_000  # a window begins here
BATCH = 2000
TENANT = "bench"


def label_sets(count: int) -> list[tuple[tuple[str, str], ...]]:
    """Series as a fleet of node exporters has them: 100 metrics a host, six labels."""
    return [
        label_set(
            {
                "__name__": f"node_metric_{i % 100}_total",
                "instance": f"host-{i // 100}.example.org:9100",
                "job": "node",
                "mode": "user",
                "cpu": str(i % 8),
                "region": "eu-west-1",
            }
        )
        for i in range(count)
    ]


def write_requests(count: int, tick: int) -> list[bytes]:
    """Remote-write bodies of one scrape of all series."""
    timestamp = _varint(START_MS + tick * STEP_MS)
    messages = []
    for i, labels in enumerate(label_sets(count)):
        sample = b"\x09" + struct.pack("<d", i * 1.1 + tick) + b"\x10" + timestamp
        message = encode_labels(labels) + b"\x12" + _varint(len(sample)) + sample
        messages.append(b"\x0a" + _varint(len(message)) + message)
    batches = (messages[start : start + BATCH] for start in range(0, count, BATCH))
    return [bytes(cramjam.snappy.compress_raw(b"".join(batch))) for batch in batches]


def bench_decode(count: int) -> dict[str, float]:
    """Decompressing and decoding alone."""
    bodies = write_requests(count, 0)
    seconds = _cpu_s(lambda: [decode_write_request(decompress(body)) for body in bodies])
    return {"decoded_samples_per_cpu_s": count / seconds}


def bench_ingest(client: redis.Redis, count: int, ticks: int) -> dict[str, float]:
    """Remote write into Redis: first with series that are new, then with series that are known."""
    store = open_store(client)
    first = write_requests(count, 0)
    new_s = _cpu_s(lambda: [ingest_remote_write(body, store, now_ms=START_MS) for body in first])
    own_s = redis_s = 0.0
    accepted = 0
    for tick in range(1, ticks):
        bodies = write_requests(count, tick)
        before_s = _redis_cpu_s(client)
        own_s += _cpu_s(
            lambda bodies=bodies, tick=tick: [
                ingest_remote_write(body, store, now_ms=START_MS + tick * STEP_MS) for body in bodies
            ]
        )
        redis_s += _redis_cpu_s(client) - before_s
        accepted += count
    store.trim_ended_windows(START_MS + 3_600_000)
    blocks = client.keys(f"series:{{{TENANT}}}:*:*:*")
    block_bytes = sum(client.memory_usage(key, samples=0) for key in blocks)
    return {
        "new_series_per_cpu_s": count / new_s,
        "samples_per_cpu_s": accepted / (own_s + redis_s),
        "own_us_per_sample": own_s / accepted * 1e6,
        "redis_us_per_sample": redis_s / accepted * 1e6,
        "redis_bytes_per_sample": block_bytes / (accepted + count),
        "redis_index_bytes_per_series": client.memory_usage(f"series:{{{TENANT}}}:log") / count,
    }


def bench_append(client: redis.Redis, count: int) -> dict[str, float]:
    """Label sets and values as rules and models write them."""
    store = open_store(client)
    batch = SampleBatch(label_sets(count), np.arange(count), np.full(count, START_MS), np.ones(count))
    store.append(batch, now_ms=START_MS)
    seconds = _cpu_s(lambda: store.append(batch, now_ms=START_MS))
    return {"append_us_per_sample": seconds / count * 1e6}


def bench_read(client: redis.Redis, count: int, ticks: int) -> dict[str, float]:
    """Five minutes of all series: for the first time, again, and after another scrape came in."""
    writer, reader = open_store(client), open_store(client)
    before = psutil.Process().memory_info().rss
    index_s = _cpu_s(reader.generation)
    numbers = reader.select([])
    end_ms = START_MS + (ticks - 1) * STEP_MS

    def read() -> None:
        reader.generation()
        reader.read(numbers, end_ms - 300_000, end_ms)

    first_s = _cpu_s(read)
    quiet_s = min(_cpu_s(read) for _ in range(5))
    bodies = write_requests(count, ticks)
    for body in bodies:
        ingest_remote_write(body, writer, now_ms=end_ms + STEP_MS)
    end_ms += STEP_MS
    tick_s = _cpu_s(read)
    grown = psutil.Process().memory_info().rss - before
    return {
        "index_ms": index_s * 1e3,
        "first_read_ms": first_s * 1e3,
        "quiet_read_ms": quiet_s * 1e3,
        "tick_read_ms": tick_s * 1e3,
        "reader_bytes_per_series": grown / count,
    }


def bench_archive() -> dict[str, float]:
    """A window of 10,000 series and 40 ticks of several kinds of values."""
    series, ticks = 10_000, 40
    random = np.random.default_rng(1)
    kinds = {
        "constant": np.repeat(random.random((series, 1)), ticks, axis=1),
        "counter": np.cumsum(random.integers(0, 100, (series, ticks)), axis=1).astype(np.float64),
        "gauge": np.round(50 + np.cumsum(random.normal(0, 1, (series, ticks)), axis=1), 2),
        "noise": random.random((series, ticks)),
    }
    figures = {}
    for kind, values in kinds.items():
        times = START_MS + np.tile(np.arange(ticks) * STEP_MS, series)
        columns = Columns(np.arange(series + 1) * ticks, times, values.ravel())
        block = ClosedBlock(START_MS, START_MS + 600_000, [b""] * series, columns)
        encoded: list[bytes] = []
        encode_s = _cpu_s(lambda encoded=encoded, block=block: encoded.append(encode_block(block)))
        decode_s = _cpu_s(lambda encoded=encoded: decode_block(encoded[0]))
        figures[f"archive_{kind}_bytes_per_sample"] = len(encoded[0]) / times.size
        figures[f"archive_{kind}_encode_us_per_sample"] = encode_s / times.size * 1e6
        figures[f"archive_{kind}_decode_us_per_sample"] = decode_s / times.size * 1e6
    return figures


def open_store(client: redis.Redis) -> RedisSeries:
    """As another process would."""
    return RedisSeries(client, TENANT, SeriesLimits(future_ms=3_600_000))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _redis_cpu_s(client: redis.Redis) -> float:
    accounting = client.info("cpu")
    return accounting["used_cpu_user"] + accounting["used_cpu_sys"]


def main() -> None:
    """Run all of it for each number of series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("redis_url")
    parser.add_argument("--series", type=int, nargs="+", default=[10_000])
    parser.add_argument("--ticks", type=int, default=24)
    options = parser.parse_args()
    with redis.Redis.from_url(options.redis_url) as client:
        for count in options.series:
            for _ in range(2):
                client.delete(*client.keys(f"series:{{{TENANT}}}:*"), "unused")
                figures = {
                    "series": count,
                    **bench_decode(count),
                    **bench_ingest(client, count, options.ticks),
                    **bench_append(client, count),
                    **bench_read(client, count, options.ticks),
                    **bench_archive(),
                }
            sys.stdout.write(json.dumps({name: round(figure, 3) for name, figure in figures.items()}) + "\n")
        client.delete(*client.keys(f"series:{{{TENANT}}}:*"))


if __name__ == "__main__":
    main()
