"""What every store of series does alike, shown on each of them; the memory store says what is right."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alertsite.core.labels import LabelSet, Matcher, MatchOp, label_set
from alertsite.core.samples import STALE_NAN_BITS
from rules.series.backends.archive import encode_block
from rules.series.backends.history import ArchiveSeries, MergedSeries
from rules.series.backends.memory import MemorySeries
from rules.series.backends.redis_hot import RedisSeries
from rules.series.encoded import EncodedBatch
from rules.series.encoding import encode_labels
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch, SeriesReader, WriteReceipt

NOW_MS = 1_700_000_400_000
WINDOW_MS = 60_000
HOUR_MS = 3_600_000

_tenants = (f"tenant-{number}" for number in itertools.count())


def batch(rows: Iterable[tuple[LabelSet, int, float]]) -> SampleBatch:
    """Samples from (labels, timestamp, value)."""
    rows = list(rows)
    return SampleBatch(
        [labels for labels, _, _ in rows],
        np.arange(len(rows)),
        np.array([timestamp for _, timestamp, _ in rows], np.int64),
        np.array([value for _, _, value in rows], np.float64),
    )


def metric(name: str, **labels: str) -> LabelSet:
    return label_set({"__name__": name, **labels})


@dataclass
class Stand:
    """Writers as in several processes, and how to read what they wrote."""

    writers: list[MemorySeries | RedisSeries]
    reader: Callable[[], SeriesReader]

    def write(self, *rows: tuple[LabelSet, int, float], writer: int = 0) -> WriteReceipt:
        return self.writers[writer].append(batch(rows), now_ms=NOW_MS)


@dataclass
class Blocks:
    encoded: list[bytes] = field(default_factory=list)

    def blocks(self, start_ms: int, end_ms: int) -> Iterator[bytes]:
        return iter(self.encoded)


def archived(store: RedisSeries, windows: list[int]) -> ArchiveSeries:
    blocks = Blocks([encode_block(block) for window in windows for block in store.export_window(window)])
    return ArchiveSeries(blocks, 0, NOW_MS * 2)


def memory_stand(limits: SeriesLimits, client: redis.Redis) -> Stand:
    store = MemorySeries(limits)
    return Stand([store, store], lambda: store)


def redis_stand(limits: SeriesLimits, client: redis.Redis) -> Stand:
    tenant = next(_tenants)
    stores = [RedisSeries(client, tenant, limits, window_ms=WINDOW_MS) for _ in range(3)]
    return Stand(stores[:2], lambda: stores[2])


def archive_stand(limits: SeriesLimits, client: redis.Redis) -> Stand:
    tenant = next(_tenants)
    stores = [RedisSeries(client, tenant, limits, window_ms=WINDOW_MS) for _ in range(2)]
    return Stand(stores, lambda: archived(stores[0], stores[0].closed_windows(NOW_MS + 3 * HOUR_MS)))


def merged_stand(limits: SeriesLimits, client: redis.Redis) -> Stand:
    tenant = next(_tenants)
    stores = [RedisSeries(client, tenant, limits, window_ms=WINDOW_MS) for _ in range(3)]

    def reader() -> MergedSeries:
        old = stores[0].closed_windows(NOW_MS + 3 * HOUR_MS)[:1]
        archive = archived(stores[0], old)
        for window in old:
            stores[0].drop_window(window)
        return MergedSeries(stores[2], archive)

    return Stand(stores[:2], reader)


WRITABLE = [pytest.param(memory_stand, id="memory"), pytest.param(redis_stand, id="redis")]
READABLE = [
    *WRITABLE,
    pytest.param(archive_stand, id="archive"),
    pytest.param(merged_stand, id="archive and hot"),
]


@pytest.fixture(params=READABLE)
def stand(request: pytest.FixtureRequest, redis_client: redis.Redis) -> Stand:
    return request.param(SeriesLimits(), redis_client)


@pytest.fixture(params=WRITABLE)
def limited(request: pytest.FixtureRequest, redis_client: redis.Redis) -> Callable[[SeriesLimits], Stand]:
    return lambda limits: request.param(limits, redis_client)


def contents(
    reader: SeriesReader, start_ms: int = 0, end_ms: int = 2 * NOW_MS
) -> dict[LabelSet, list[tuple]]:
    """Everything in the store, values as bits so that NaNs compare."""
    reader.generation()
    numbers = reader.select([])
    columns = reader.read(numbers, start_ms, end_ms)
    assert len(columns) == len(numbers)
    bits = columns.values.view(np.uint64).tolist()
    times = columns.timestamps_ms.tolist()
    bounds = itertools.pairwise(columns.offsets.tolist())
    found = zip(reader.labels(numbers), bounds, strict=True)
    return {labels: list(zip(times[a:b], bits[a:b], strict=True)) for labels, (a, b) in found}


def samples(reader: SeriesReader, labels: LabelSet, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
    numbers = reader.select([Matcher(name, MatchOp.EQUAL, value) for name, value in labels])
    columns = reader.read(numbers[:1], start_ms, end_ms)
    return list(zip(columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True))


UP = metric("up", job="node")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(-2, 0, [(-2, 1.0), (-1, 2.0), (0, 3.0)], id="both ends belong"),
        pytest.param(-1, -1, [(-1, 2.0)], id="one instant"),
        pytest.param(1, 5, [], id="after the last"),
        pytest.param(0, -2, [], id="end before start"),
        pytest.param(-200_000, 0, [(-90_000, 0.0), (-2, 1.0), (-1, 2.0), (0, 3.0)], id="over windows"),
    ],
)
def test_read_bounds(stand, start, end, expected):
    stand.write((UP, NOW_MS - 90_000, 0.0), (UP, NOW_MS - 2, 1.0), (UP, NOW_MS - 1, 2.0), (UP, NOW_MS, 3.0))
    found = samples(stand.reader(), UP, NOW_MS + start, NOW_MS + end)
    assert found == [(NOW_MS + offset, value) for offset, value in expected]


def test_late_samples_are_sorted_in_and_the_last_written_counts(stand):
    stand.write((UP, NOW_MS, 1.0), (UP, NOW_MS - 20, 2.0))
    stand.write((UP, NOW_MS - 10, 3.0), (UP, NOW_MS, 4.0), writer=1)
    stand.write((UP, NOW_MS - 20, 5.0))
    found = samples(stand.reader(), UP, NOW_MS - 50, NOW_MS)
    assert found == [(NOW_MS - 20, 5.0), (NOW_MS - 10, 3.0), (NOW_MS, 4.0)]


def test_a_stale_marker_and_an_ordinary_nan_keep_their_bits(stand):
    bits = np.array([STALE_NAN_BITS, 0x7FF8_0000_0000_0001], np.uint64)
    values = bits.view(np.float64)
    stand.writers[0].append(
        SampleBatch([UP], np.zeros(2, np.int64), np.array([NOW_MS - 1, NOW_MS]), values), now_ms=NOW_MS
    )
    assert contents(stand.reader())[UP] == list(zip([NOW_MS - 1, NOW_MS], bits.tolist(), strict=True))


def test_series_come_in_the_order_asked(stand):
    rows = [(metric("m", i=str(number)), NOW_MS, float(number)) for number in range(5)]
    stand.write(*rows)
    reader = stand.reader()
    numbers = reader.select([Matcher("__name__", MatchOp.EQUAL, "m")])[::-1].copy()
    columns = reader.read(numbers, NOW_MS, NOW_MS)
    wanted = [float(dict(labels)["i"]) for labels in reader.labels(numbers)]
    assert columns.values.tolist() == wanted
    assert columns.offsets.tolist() == [0, 1, 2, 3, 4, 5]


def test_series_without_samples_in_the_span_are_empty_columns(stand):
    stand.write((UP, NOW_MS, 1.0), (metric("down"), NOW_MS - 5, 2.0))
    reader = stand.reader()
    columns = reader.read(reader.select([]), NOW_MS, NOW_MS)
    assert sorted(np.diff(columns.offsets).tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        pytest.param([], {"a", "b", "c"}, id="none: all series"),
        pytest.param([("__name__", "=", "a")], {"a"}, id="name"),
        pytest.param([("job", "=", "node")], {"a", "b"}, id="equal"),
        pytest.param([("job", "!=", "node")], {"c"}, id="not equal accepts absence"),
        pytest.param([("job", "=", "")], {"c"}, id="empty means absent"),
        pytest.param([("job", "!=", "")], {"a", "b"}, id="not empty means present"),
        pytest.param([("job", "=~", "n.*|x")], {"a", "b"}, id="regular expression"),
        pytest.param([("job", "=~", "nod")], set(), id="regular expression is anchored"),
        pytest.param([("job", "=~", "x?")], {"c"}, id="regular expression that accepts absence"),
        pytest.param([("job", "!~", "n.*")], {"c"}, id="not a regular expression"),
        pytest.param([("job", "=", "node"), ("zone", "!=", "1")], {"b"}, id="all must hold"),
        pytest.param([("job", "=", "node"), ("zone", "=", "1")], {"a"}, id="intersection"),
        pytest.param([("job", "=", "other")], set(), id="unknown value"),
        pytest.param([("nothing", "=", "x")], set(), id="unknown label"),
    ],
)
@pytest.mark.parametrize("crowd", [pytest.param(0, id="few"), pytest.param(100, id="many")])
def test_select(stand, matchers, expected, crowd):
    kinds = {"a": {"job": "node", "zone": "1"}, "b": {"job": "node", "zone": "2"}, "c": {}}
    rows = [(metric(kind, **labels), NOW_MS, 0.0) for kind, labels in kinds.items()]
    rows += [
        (metric(kind, **labels, i=str(i)), NOW_MS, 0.0)
        for kind, labels in kinds.items()
        for i in range(crowd)
    ]
    stand.write(*rows)
    reader = stand.reader()
    numbers = reader.select([Matcher(name, MatchOp(op), value) for name, op, value in matchers])
    assert (np.diff(numbers) > 0).all()
    found = [dict(labels)["__name__"] for labels in reader.labels(numbers)]
    assert set(found) == expected
    assert len(found) == len(expected) * (1 + crowd)


def test_generation_changes_with_new_series_whoever_wrote_them_and_not_with_samples(stand):
    stand.write((UP, NOW_MS - 1, 1.0))
    reader = stand.reader()
    before = reader.generation()
    stand.write((UP, NOW_MS, 1.0), writer=1)
    assert reader.generation() == before
    if not isinstance(reader, ArchiveSeries):
        stand.write((metric("new"), NOW_MS, 1.0), writer=1)
        assert reader.generation() != before
        assert len(reader.select([])) == 2


def test_a_reader_follows_what_is_appended(limited):
    stand = limited(SeriesLimits())
    reader = stand.reader()
    seen = []
    for tick in range(100):
        stand.write((UP, NOW_MS - 1_000 + tick, float(tick)), writer=tick % 2)
        seen.append(len(samples(reader, UP, NOW_MS - 1_000, NOW_MS)))
    assert seen == list(range(1, 101))


LONG = "x" * 21


@pytest.mark.parametrize(
    ("rows", "accepted", "refused", "kept"),
    [
        pytest.param([(UP, -1000, 1.0)], 1, {}, 1, id="oldest allowed"),
        pytest.param([(UP, -1001, 1.0), (UP, 0, 1.0)], 1, {"too_old": 1}, 1, id="too old"),
        pytest.param([(UP, 500, 1.0)], 1, {}, 1, id="newest allowed"),
        pytest.param([(UP, 501, 1.0), (UP, 0, 1.0)], 1, {"too_far_in_future": 1}, 1, id="too new"),
        pytest.param(
            [(metric("m", a="1", b="2", c="3"), 0, 1.0), (UP, 0, 1.0)],
            1,
            {"too_many_labels": 1},
            1,
            id="labels",
        ),
        pytest.param(
            [(metric("m", a=LONG), 0, 1.0), (UP, 0, 1.0)], 1, {"label_too_long": 1}, 1, id="value too long"
        ),
        pytest.param([(metric("m", **{LONG: "a"}), 0, 1.0)], 0, {"label_too_long": 1}, 0, id="name too long"),
        pytest.param(
            [(metric("m", a="ü" * 11), 0, 1.0)], 0, {"label_too_long": 1}, 0, id="length is in bytes"
        ),
        pytest.param([(metric("m", a=LONG), -9999, 1.0)], 0, {"too_old": 1}, 0, id="time is looked at first"),
        pytest.param(
            [(metric("m", i=str(i)), 0, 1.0) for i in (1, 2, 3, 4, 3, 5)],
            4,
            {"series_limit": 2},
            3,
            id="too many series",
        ),
        pytest.param(
            [(metric("m", i="1"), -9999, 1.0)] + [(metric("m", i=str(i)), 0, 1.0) for i in (2, 3, 4, 1)],
            3,
            {"too_old": 1, "series_limit": 1},
            3,
            id="a series without accepted samples takes no place",
        ),
        pytest.param([], 0, {}, 0, id="nothing"),
    ],
)
def test_limits(limited, rows, accepted, refused, kept):
    limits = SeriesLimits(lateness_ms=1000, future_ms=500, max_series=3, max_labels=3, max_label_bytes=20)
    stand = limited(limits)
    rows = [(labels, NOW_MS + offset, value) for labels, offset, value in rows]
    receipt = stand.write(*rows)
    assert (receipt.accepted, dict(receipt.refused)) == (accepted, refused)
    stored = contents(stand.reader())
    assert sum(map(len, stored.values())) == kept


def encoded(*series: tuple[bytes, int]) -> EncodedBatch:
    return EncodedBatch(
        [raw for raw, _ in series],
        np.arange(len(series)),
        np.array([timestamp for _, timestamp in series], np.int64),
        np.ones(len(series)),
    )


def unsorted_bytes(labels: LabelSet) -> bytes:
    return b"".join(encode_labels((pair,)) for pair in reversed(labels))


def test_encoded_labels_are_sorted_and_bad_series_refused_alone(limited):
    stand = limited(SeriesLimits())
    not_utf8 = encode_labels(UP) + b"\n\x06\n\x01\xff\x12\x01a"
    received = encoded(
        (unsorted_bytes(UP), NOW_MS),
        (encode_labels(UP), NOW_MS - 1),
        (encode_labels((("job", "node"),)), NOW_MS),
        (encode_labels((*UP, *UP)), NOW_MS),
        (not_utf8, NOW_MS),
        (encode_labels((("", "x"), *UP)), NOW_MS),
        (encode_labels((*UP, ("empty", ""))), NOW_MS - 2),
        (encode_labels(UP), 0),
    )
    refused = {
        "missing_metric_name": 1,
        "duplicate_label": 1,
        "labels_not_utf8": 1,
        "invalid_label_name": 1,
        "too_old": 1,
    }
    for writer in (0, 0, 1):  # a second time labels are known, and not by the other writer
        receipt = stand.writers[writer].append_encoded(received, now_ms=NOW_MS)
        assert (receipt.accepted, dict(receipt.refused)) == (3, refused)
    stored = contents(stand.reader())
    assert list(stored) == [UP]
    assert [timestamp for timestamp, _ in stored[UP]] == [NOW_MS - 2, NOW_MS - 1, NOW_MS]


WRITES = st.lists(
    st.tuples(
        st.integers(0, 2),  # writer
        st.lists(
            st.tuples(st.integers(0, 1500), st.integers(-3, 3), st.integers(-30, 30), st.floats(width=32)),
            max_size=12,
        ),
        st.booleans(),  # read in between
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WRITES)
def test_any_interleaving_reads_as_from_memory(redis_client, writes):
    reference = MemorySeries()
    tenant = next(_tenants)
    stores = [RedisSeries(redis_client, tenant, SeriesLimits(), window_ms=WINDOW_MS) for _ in range(4)]
    for writer, rows, look in writes:
        received = batch(
            (metric("m", i=str(series)), NOW_MS + minute * WINDOW_MS + offset, value)
            for series, minute, offset, value in rows
        )
        assert stores[writer].append(received, now_ms=NOW_MS) == reference.append(received, now_ms=NOW_MS)
        if look:
            assert contents(stores[3]) == contents(reference)
    assert contents(stores[3]) == contents(reference)
    assert contents(stores[0]) == contents(reference)
    span = (NOW_MS - 10, NOW_MS + WINDOW_MS - 10)
    assert contents(stores[3], *span) == contents(reference, *span)
