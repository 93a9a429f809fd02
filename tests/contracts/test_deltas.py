"""Running totals of delta sums: what both stores promise."""

from __future__ import annotations

import itertools

import pytest

from rules.series.backends.deltas import INCREASES_A_CALL, PERIOD_MS, MemoryDeltas, RedisDeltas
from rules.series.deltas import DeltaRefusal, Increase

NOW_MS = 100 * PERIOD_MS
LATE, FULL = DeltaRefusal.OUT_OF_ORDER, DeltaRefusal.TOO_MANY_SERIES

_tenants = (f"deltas-{number}" for number in itertools.count())


@pytest.fixture(params=["memory", "redis"])
def totals(request):
    if request.param == "memory":
        return MemoryDeltas(3)
    return RedisDeltas(request.getfixturevalue("redis_client"), next(_tenants), 3)


def increase(series, seconds, value):
    return Increase(series.encode(), NOW_MS + 1000 * seconds, value)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(
            [("a", 1, 2.0), ("a", 2, 0.1), ("b", 2, 5.0)], [2.0, 2.1, 5.0], id="each series its own"
        ),
        pytest.param([("a", 2, 2.0), ("a", 2, 2.0), ("a", 1, 1.0)], [2.0, LATE, LATE], id="twice or late"),
        pytest.param([("a", 1, 1.0), ("a", 500, 1.0)], [1.0, 2.0], id="a gap adds nothing"),
        pytest.param(
            [("a", 1, 1.0), ("b", 1, 1.0), ("c", 1, 1.0), ("d", 1, 1.0), ("a", 2, 1.0)],
            [1.0, 1.0, 1.0, FULL, 2.0],
            id="no room for another series",
        ),
    ],
)
def test_increases_add_up(totals, sent, expected):
    assert totals.add([increase(*one) for one in sent], now_ms=NOW_MS) == expected


def test_totals_outlive_their_call_and_the_next_period_but_no_longer(totals):
    totals.add([increase("a", 0, 1.0), increase("b", 0, 8.0)], now_ms=NOW_MS)

    later = [Increase(b"a", NOW_MS + PERIOD_MS, 2.0)]
    assert totals.add(later, now_ms=NOW_MS + PERIOD_MS) == [3.0]
    latest = [Increase(series, NOW_MS + 2 * PERIOD_MS, 4.0) for series in (b"a", b"b")]
    assert totals.add(latest, now_ms=NOW_MS + 2 * PERIOD_MS)[0] == 7.0


def test_many_increases_keep_their_order(redis_client):
    totals = RedisDeltas(redis_client, next(_tenants), 10)
    count = 2 * INCREASES_A_CALL + 1

    answers = totals.add([increase("a", second, 1.0) for second in range(count)], now_ms=NOW_MS)

    assert answers == [float(number) for number in range(1, count + 1)]


def test_two_processes_share_totals_and_tenants_do_not(redis_client):
    tenant = next(_tenants)
    first, second = (RedisDeltas(redis_client, tenant, 3) for _ in range(2))
    stranger = RedisDeltas(redis_client, next(_tenants), 3)

    assert first.add([increase("a", 1, 1.5)], now_ms=NOW_MS) == [1.5]
    assert second.add([increase("a", 2, 1.5)], now_ms=NOW_MS) == [3.0]
    assert stranger.add([increase("a", 2, 1.5)], now_ms=NOW_MS) == [1.5]
