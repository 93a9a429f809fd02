"""Which ticks are due, and where shards and groups fall."""

from __future__ import annotations

from uuid import UUID

import pytest

from rules.evaluation.shards import RULES_PER_SHARD, phase_of, slot_of, slots_for
from rules.evaluation.ticks import Timetable, due_ticks

MINUTE = 60_000
TABLE = Timetable(MINUTE, 7_000)


@pytest.mark.parametrize(
    ("now_ms", "skipped", "evaluated", "following"),
    [
        pytest.param(7_000 - 1, [], [], 7_000, id="not yet"),
        pytest.param(7_000, [], [7_000], 67_000, id="on the millisecond"),
        pytest.param(66_999, [], [7_000], 67_000, id="late, before the next"),
        pytest.param(
            130_000, [], [7_000, 67_000, 127_000], 187_000, id="missed ticks are caught up in order"
        ),
        pytest.param(
            310_000,
            [7_000, 67_000, 127_000],
            [187_000, 247_000, 307_000],
            367_000,
            id="beyond the bound they are skipped",
        ),
    ],
)
def test_due_ticks(now_ms, skipped, evaluated, following):
    due = due_ticks(TABLE, next_due_ms=7_000, now_ms=now_ms, max_catch_up=2)

    assert (list(due.skipped), list(due.evaluate), due.next_due_ms) == (skipped, evaluated, following)


@pytest.mark.parametrize(
    ("moment_ms", "first"),
    [(0, 7_000), (6_999, 7_000), (7_000, 67_000), (67_001, 127_000)],
)
def test_first_tick_after(moment_ms, first):
    assert TABLE.first_after(moment_ms) == first


def test_slots_grow_with_rules():
    assert [slots_for(count) for count in (0, 1, RULES_PER_SHARD, RULES_PER_SHARD + 1)] == [1, 1, 1, 2]


def test_one_more_slot_moves_few_groups():
    groups = [UUID(int=number) for number in range(2000)]
    moved = sum(slot_of(group, slots=9) != slot_of(group, slots=10) for group in groups)

    assert moved < 2000 / 10 * 1.3


def test_phases_are_whole_seconds_within_the_interval_and_spread():
    phases = {phase_of(UUID(int=number), 0, interval_ms=15_000) for number in range(500)}

    assert phases == {second * 1000 for second in range(15)}
