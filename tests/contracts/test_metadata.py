"""Descriptions of metrics: read from what senders send, kept in Redis within bounds."""

from __future__ import annotations

import pytest
import redis

from rules.series.backends import metadata as backend
from rules.series.backends.memory import MemorySeries
from rules.series.backends.metadata import RedisMetadata
from rules.series.collectors.described import described_readings
from rules.series.ingest.remote_write import ingest_remote_write
from rules.series.metadata import Description
from tests.unit.series.test_remote_write import NOW_MS, UP, field, sample, series, snappy

HOUR_MS = 3_600_000


def described(kind: int, metric: str, text: str = "", unit: str = "") -> bytes:
    return field(
        3, field(1, kind) + field(2, metric.encode()) + field(4, text.encode()) + field(5, unit.encode())
    )


@pytest.fixture
def client(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def store(client):
    return RedisMetadata(client, "acme")


def test_what_remote_write_says_is_kept_beside_its_samples(store):
    samples = MemorySeries()
    body = (
        described(1, "a_total", "How many.")
        + series(UP, sample(NOW_MS, 1.0))
        + described(2, "b", "", "bytes")
    )

    receipt = ingest_remote_write(snappy(body), samples, now_ms=NOW_MS, metadata=store)

    assert (receipt.accepted, receipt.refused) == (1, {})
    assert store.read() == [
        Description("a_total", "counter", "How many."),
        Description("b", "gauge", "", "bytes"),
    ]
    assert store.read("b") == [Description("b", "gauge", "", "bytes")]
    assert store.read("c") == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(field(3, b"\x12\x7fx"), id="text beyond the message"),
        pytest.param(field(3, field(2, b"\xff")), id="no UTF-8"),
        pytest.param(field(3, b"\x80"), id="number without end"),
        pytest.param(field(3, b"\x13\x00"), id="group"),
    ],
)
def test_what_reads_like_no_description_costs_no_sample(store, fault):
    body = fault + series(UP, sample(NOW_MS, 1.0)) + described(99, "odd")

    assert ingest_remote_write(snappy(body), MemorySeries(), now_ms=NOW_MS, metadata=store).accepted == 1
    assert store.read() == [Description("odd", "unknown")]


def test_the_newest_description_counts_and_repeating_costs_nothing(store, client):
    one, other = Description("a", "gauge", "old"), Description("a", "gauge", "new")
    store.note([one], now_ms=0)
    store.note([other], now_ms=1)
    client.flushdb()
    store.note([other], now_ms=2)
    assert store.read() == []  # lost, which harms nothing, and written again within the hour

    store.note([other], now_ms=HOUR_MS)

    assert store.read() == [other]


def test_metrics_and_texts_are_bounded(store, monkeypatch):
    monkeypatch.setattr(backend, "MAX_METRICS", 2)
    store.note([Description(name, "gauge") for name in "abc"], now_ms=0)
    store.note([Description("d", "gauge"), Description("a", "counter", "x" * 9999)], now_ms=0)

    assert [(one.metric, one.type, len(one.help)) for one in store.read()] == [
        ("a", "counter", 500),
        ("b", "gauge", 0),
    ]


def test_readings_of_the_host_are_described_by_name():
    label_sets = [(("__name__", "node_cpu_seconds_total"), ("cpu", str(n))) for n in range(2)]
    label_sets += [(("__name__", "cpu_usage"),), (("__name__", "node_uname_info"),)]

    found = list(described_readings(label_sets))

    assert [(one.metric, one.type) for one in found] == [
        ("node_cpu_seconds_total", "counter"),
        ("cpu_usage", "gauge"),
        ("node_uname_info", "info"),
    ]
    assert "percent" in found[1].help
