"""What is the hot store's alone: many writers, a Redis that loses data, expiry, closing and forgetting."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from alertsite.core.labels import LabelSet, Matcher, MatchOp, label_set
from rules.series.backends.redis_hot import RedisSeries
from rules.series.encoded import EncodedBatch
from rules.series.encoding import encode_labels
from rules.series.errors import CorruptBlock, SeriesRenumbered
from rules.series.limits import SeriesLimits
from rules.series.protocols import SampleBatch

NOW_MS = 1_700_000_400_000
WINDOW_MS = 60_000
LIMITS = SeriesLimits(lateness_ms=2 * WINDOW_MS, future_ms=WINDOW_MS)

_tenants = (f"hot-{number}" for number in itertools.count())


@pytest.fixture
def tenant():
    return next(_tenants)


@pytest.fixture
def open_store(redis_client, tenant):
    """Another process's view of the same tenant."""
    return lambda limits=LIMITS: RedisSeries(redis_client, tenant, limits, window_ms=WINDOW_MS)


def metric(name: str, **labels: str) -> LabelSet:
    return label_set({"__name__": name, **labels})


def write(store: RedisSeries, *rows: tuple[LabelSet, int, float], now_ms: int = NOW_MS) -> int:
    labels, times, values = zip(*rows, strict=True)
    batch = SampleBatch(labels, np.arange(len(rows)), np.array(times, np.int64), np.array(values, np.float64))
    return store.append(batch, now_ms=now_ms).accepted


def everything(store: RedisSeries) -> dict[LabelSet, list[tuple[int, float]]]:
    store.generation()
    numbers = store.select([])
    columns = store.read(numbers, 0, 2 * NOW_MS)
    rows = list(zip(columns.timestamps_ms.tolist(), columns.values.tolist(), strict=True))
    bounds = itertools.pairwise(columns.offsets.tolist())
    return {labels: rows[a:b] for labels, (a, b) in zip(store.labels(numbers), bounds, strict=True)}


def empty(client, tenant):
    client.delete(*client.keys(f"series:{{{tenant}}}:*"))


def test_writers_at_once_agree_on_numbers_and_lose_nothing(open_store):
    writers = 6
    sets = [metric("m", i=str(number)) for number in range(300)]

    def work(writer: int) -> None:
        store = open_store()
        order = np.random.default_rng(writer).permutation(len(sets)).tolist()
        for at in range(0, len(order), 25):
            write(store, *[(sets[i], NOW_MS + writer, float(i)) for i in order[at : at + 25]])

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = everything(open_store())
    expected = {labels: [(NOW_MS + w, float(i)) for w in range(writers)] for i, labels in enumerate(sets)}
    assert found == expected


def test_one_store_is_shared_by_threads(open_store):
    store = open_store()
    rows = [[(metric("m", i=str(i), t=str(t)), NOW_MS, 1.0) for i in range(20)] for t in range(4)]

    def work(own):
        for row in own:
            write(store, row)
            store.generation()
            store.read(store.select([]), NOW_MS, NOW_MS)

    threads = [threading.Thread(target=work, args=(own,)) for own in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(everything(store)) == 80


def test_numbers_from_before_redis_was_emptied_are_refused(open_store, redis_client, tenant):
    store, other = open_store(), open_store()
    write(store, (metric("a"), NOW_MS, 1.0), (metric("b"), NOW_MS, 2.0))
    generation = store.generation()
    numbers = store.select([])
    empty(redis_client, tenant)
    write(other, (metric("b"), NOW_MS, 3.0))
    with pytest.raises(SeriesRenumbered):
        store.read(numbers, NOW_MS, NOW_MS)
    assert write(store, (metric("a"), NOW_MS, 4.0)) == 1
    assert store.generation() != generation
    assert (
        everything(store) == everything(other) == {metric("a"): [(NOW_MS, 4.0)], metric("b"): [(NOW_MS, 3.0)]}
    )


def test_labels_of_unknown_numbers_are_refused(open_store):
    with pytest.raises(SeriesRenumbered):
        open_store().labels(np.array([7]))


def test_a_redis_that_went_back_in_time_is_noticed(open_store, redis_client, tenant):
    store, other = open_store(), open_store()
    write(store, (metric("a"), NOW_MS, 1.0))
    dumped = {key: redis_client.dump(key) for key in redis_client.keys(f"series:{{{tenant}}}:*")}
    write(store, (metric("b"), NOW_MS, 2.0))
    assert len(everything(store)) == 2
    for key, content in dumped.items():
        redis_client.restore(key, 0, content, replace=True)
    write(other, (metric("c"), NOW_MS, 3.0))  # has the number that b had, and a record of the same length
    expected = {metric("a"): [(NOW_MS, 1.0)], metric("c"): [(NOW_MS, 3.0)]}
    assert everything(store) == expected
    write(store, (metric("b"), NOW_MS, 4.0))
    assert everything(store) == everything(other) == {**expected, metric("b"): [(NOW_MS, 4.0)]}


def test_a_block_that_is_no_run_of_frames_is_refused(open_store, redis_client, tenant):
    store = open_store()
    write(store, (metric("a"), NOW_MS, 1.0))
    [key] = [key for key in redis_client.keys(f"series:{{{tenant}}}:*") if key.endswith(b":0")]
    redis_client.append(key, b"x" * 40)
    with pytest.raises(CorruptBlock, match="byte 32"):
        store.read(store.select([]), NOW_MS, NOW_MS)


def test_a_reader_forgets_windows_that_it_no_longer_reads(open_store):
    store, writer = open_store(), open_store()
    for minute in range(10):
        now_ms = NOW_MS + minute * WINDOW_MS
        write(writer, (metric("a"), now_ms, 1.0), now_ms=now_ms)
        store.read(store.select([]), now_ms - WINDOW_MS, now_ms)
        store.read(store.select([]), 10 * NOW_MS, 10 * NOW_MS + 1)  # somebody asks for a distant future
    assert len(store._reader._blocks) <= 4
    assert len(everything(store)[metric("a")]) == 10


def test_blocks_expire_after_the_hot_time(redis_client, tenant):
    store = RedisSeries(redis_client, tenant, LIMITS, window_ms=WINDOW_MS, hot_ms=5 * WINDOW_MS)
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    write(store, (metric("a"), start + 1000, 1.0), now_ms=start + 1000)
    [key] = [key for key in redis_client.keys(f"series:{{{tenant}}}:*") if key.endswith(b":0")]
    left_ms = redis_client.pttl(key)
    assert 6 * WINDOW_MS - 1000 - 5000 < left_ms <= 6 * WINDOW_MS - 1000


def test_the_hot_time_covers_the_lateness_window(redis_client, tenant):
    with pytest.raises(InvalidParameter, match="hot_ms"):
        RedisSeries(redis_client, tenant, LIMITS, hot_ms=LIMITS.lateness_ms - 1)


def test_windows_close_when_no_sample_can_come_and_are_exported_whole(open_store):
    store = open_store()
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    write(store, (metric("a"), start, 1.0), (metric("b"), start + WINDOW_MS - 1, 2.0))
    write(store, (metric("a"), start + WINDOW_MS, 3.0))
    closing_ms = start + WINDOW_MS + LIMITS.lateness_ms
    assert store.closed_windows(closing_ms - 1) == []
    assert store.closed_windows(closing_ms) == [start]
    [block] = store.export_window(start)
    assert (block.start_ms, block.end_ms) == (start, start + WINDOW_MS)
    assert block.labels == [encode_labels(metric("a")), encode_labels(metric("b"))]
    assert block.columns.timestamps_ms.tolist() == [start, start + WINDOW_MS - 1]
    store.drop_window(start)
    assert store.closed_windows(closing_ms) == []
    assert list(store.export_window(start)) == []
    assert everything(open_store())[metric("a")] == [(start + WINDOW_MS, 3.0)]


def test_windows_past_the_hot_time_are_no_longer_closed_but_gone(redis_client, tenant):
    store = RedisSeries(redis_client, tenant, LIMITS, window_ms=WINDOW_MS, hot_ms=5 * WINDOW_MS)
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    write(store, (metric("a"), start, 1.0))
    assert store.closed_windows(start + 6 * WINDOW_MS - 1) == [start]
    assert store.closed_windows(start + 6 * WINDOW_MS) == []


def test_the_generation_is_the_same_for_every_store_of_the_tenant(open_store):
    store, other = open_store(), open_store()
    write(store, (metric("a"), NOW_MS, 1.0))
    assert store.generation() == other.generation()
    before = store.generation()
    write(other, (metric("b"), NOW_MS, 1.0))
    assert store.generation() == open_store().generation() != before


def test_ended_windows_give_back_the_room_kept_for_appends(open_store, redis_client, tenant):
    store = open_store()
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    ticks = itertools.count()
    key = store._upkeep._block_keys(store._directory.catch_up(), start)[0]
    while not redis_client.exists(key) or redis_client.memory_usage(key) < 1.4 * redis_client.strlen(key):
        write(store, *[(metric("a", i=str(i)), start + next(ticks), float(i)) for i in range(50)])
    before = everything(store)
    assert store.trim_ended_windows(start + WINDOW_MS - 1) == 0
    freed = store.trim_ended_windows(start + WINDOW_MS)
    assert freed > 0.3 * redis_client.strlen(key)
    assert redis_client.pttl(key) > 0
    assert store.trim_ended_windows(start + WINDOW_MS) == 0
    write(store, (metric("a", i="0"), start + 50_000, 5.0))
    before[metric("a", i="0")].append((start + 50_000, 5.0))
    assert everything(store) == everything(open_store()) == before


def test_series_without_hot_samples_are_forgotten_and_may_come_back(open_store):
    store, other = open_store(), open_store()
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    write(store, (metric("kept"), start, 1.0), *[(metric("gone", i=str(i)), start, 1.0) for i in range(5)])
    write(other, (metric("kept"), start + WINDOW_MS, 2.0))
    generation, numbers = other.generation(), other.select([])
    store.drop_window(start)
    later_ms = start + WINDOW_MS
    assert store.drop_gone_series(later_ms) == 5
    assert store.drop_gone_series(later_ms) == 0
    assert everything(other) == {metric("kept"): [(start + WINDOW_MS, 2.0)]}
    assert other.generation() != generation
    kept = other.select([Matcher("__name__", MatchOp.EQUAL, "kept")])
    assert kept.tolist() == numbers[:1].tolist()  # numbers that stay keep their meaning
    write(other, (metric("gone", i="3"), later_ms, 5.0))
    assert everything(store)[metric("gone", i="3")] == [(later_ms, 5.0)]
    assert other.select([]).max() > numbers.max()  # and a number dropped is not used again


def test_few_gone_series_are_not_worth_a_rewrite(open_store):
    store = open_store()
    start = NOW_MS // WINDOW_MS * WINDOW_MS
    write(store, (metric("gone"), start, 1.0))
    write(store, *[(metric("kept", i=str(i)), start + WINDOW_MS, 1.0) for i in range(10)])
    store.drop_window(start)
    assert store.drop_gone_series(start + WINDOW_MS) == 0
    assert len(everything(store)) == 11


def test_series_are_not_forgotten_when_samples_come_meanwhile(open_store):
    store, other = open_store(), open_store()
    write(store, (metric("a"), NOW_MS, 1.0))
    store.drop_window(NOW_MS // WINDOW_MS * WINDOW_MS)
    upkeep = store._upkeep  # the write below falls between reading and rewriting
    read_windows = upkeep._windows

    def windows_then_write(span_ms):
        yield from read_windows(span_ms)
        write(other, (metric("a"), NOW_MS, 2.0))

    upkeep._windows = windows_then_write
    assert store.drop_gone_series(NOW_MS) == 0
    assert everything(store) == {metric("a"): [(NOW_MS, 2.0)]}


def test_a_client_that_sorts_labels_its_own_way_is_remembered_within_bounds(open_store):
    store = open_store()
    pairs = [("zone", "1"), ("__name__", "m"), ("job", "x"), ("a", "1")]
    orders = [b"".join(encode_labels((pair,)) for pair in order) for order in itertools.permutations(pairs)]
    batch = EncodedBatch(orders, np.arange(len(orders)), np.full(len(orders), NOW_MS), np.ones(len(orders)))
    for _ in range(2):
        assert store.append_encoded(batch, now_ms=NOW_MS).accepted == len(orders)
    assert list(everything(store)) == [label_set(pairs)]


def test_tenants_do_not_meet(redis_client):
    alice, bob = (RedisSeries(redis_client, next(_tenants), LIMITS) for _ in range(2))
    write(alice, (metric("a"), NOW_MS, 1.0))
    write(bob, (metric("b"), NOW_MS, 2.0))
    assert (list(everything(alice)), list(everything(bob))) == ([metric("a")], [metric("b")])
