"""Where running totals of delta sums lie: in this process (the reference) or in Redis, shared by all.

Totals are kept by period: a series that was silent for a whole period is forgotten with it, so what is kept
is bounded by `max_series` for each of two periods.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import redis
import xxhash

from rules.series.deltas import DeltaRefusal, Increase, Total

PERIOD_MS: Final = 6 * 3_600_000
INCREASES_A_CALL: Final = 500
"""Redis serves nobody else during a call."""

_LATE, _FULL = b"late", b"full"
_REFUSALS: Final = {_LATE: DeltaRefusal.OUT_OF_ORDER, _FULL: DeltaRefusal.TOO_MANY_SERIES}

_ADD: Final = """
local room = tonumber(ARGV[2]) - redis.call('HLEN', KEYS[1])
local answers = {}
for at = 3, #ARGV, 3 do
  local series, time = ARGV[at], tonumber(ARGV[at + 1])
  local current = redis.call('HGET', KEYS[1], series)
  local state = current or redis.call('HGET', KEYS[2], series)
  local last, total
  if state then last, total = string.match(state, '^(%S+) (%S+)$') end
  if last and time <= tonumber(last) then
    answers[#answers + 1] = 'late'
  elseif not current and room <= 0 then
    answers[#answers + 1] = 'full'
  else
    if not current then room = room - 1 end
    local sum = string.format('%.17g', tonumber(total or 0) + tonumber(ARGV[at + 2]))
    redis.call('HSET', KEYS[1], series, ARGV[at + 1] .. ' ' .. sum)
    answers[#answers + 1] = sum
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return answers
"""


class MemoryDeltas:
    """Totals of one process."""

    def __init__(self, max_series: int) -> None:
        self._max_series = max_series
        self._periods: dict[int, dict[bytes, tuple[int, float]]] = {}

    def add(self, increases: Sequence[Increase], *, now_ms: int) -> list[Total]:
        """See `DeltaTotals.add`."""
        period = now_ms // PERIOD_MS
        self._periods = {number: kept for number, kept in self._periods.items() if number >= period - 1}
        current = self._periods.setdefault(period, {})
        previous = self._periods.get(period - 1, {})
        return [self._add_one(one, current, previous) for one in increases]

    def _add_one(
        self,
        one: Increase,
        current: dict[bytes, tuple[int, float]],
        previous: dict[bytes, tuple[int, float]],
    ) -> Total:
        last = current.get(one.labels, previous.get(one.labels))
        if last is not None and one.timestamp_ms <= last[0]:
            return DeltaRefusal.OUT_OF_ORDER
        if one.labels not in current and len(current) >= self._max_series:
            return DeltaRefusal.TOO_MANY_SERIES
        total = one.value + (last[1] if last is not None else 0.0)
        current[one.labels] = one.timestamp_ms, total
        return total


class RedisDeltas:
    """Totals of one tenant, the same for all processes: requests of one client may reach any of them.

    `series:{tenant}:deltas:PERIOD` is a hash from a digest of the labels to "TIMESTAMP_MS TOTAL".
    """

    def __init__(self, client: redis.Redis, tenant: str, max_series: int) -> None:
        self._script = client.register_script(_ADD)
        self._prefix = f"series:{{{tenant}}}:deltas"
        self._max_series = max_series

    def add(self, increases: Sequence[Increase], *, now_ms: int) -> list[Total]:
        """See `DeltaTotals.add`."""
        period = now_ms // PERIOD_MS
        keys = [f"{self._prefix}:{period}", f"{self._prefix}:{period - 1}"]
        bounds = [2 * PERIOD_MS // 1000, self._max_series]
        answers: list[bytes] = []
        for start in range(0, len(increases), INCREASES_A_CALL):
            chunk = increases[start : start + INCREASES_A_CALL]
            answers += self._script(keys, [*bounds, *itertools.chain.from_iterable(map(_arguments, chunk))])
        return [_REFUSALS[answer] if answer in _REFUSALS else float(answer) for answer in answers]


def _arguments(one: Increase) -> Iterator[bytes | int | str]:
    yield xxhash.xxh3_128_digest(one.labels)
    yield one.timestamp_ms
    yield repr(one.value)
