"""Error budgets by hand-made intervals and ratios."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.reports.levels import Objective, level_of_intervals, level_of_ratio

HOUR_MS = 3_600_000
END_MS = 100 * HOUR_MS


def promise(objective: float = 0.99) -> Objective:
    return Objective("up", "rule", objective, 0, END_MS)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        pytest.param([], 0.0, id="nothing bad"),
        pytest.param([(10 * HOUR_MS, 11 * HOUR_MS)], 1.0, id="an hour is one per cent of a hundred"),
        pytest.param([(10 * HOUR_MS, 11 * HOUR_MS), (10 * HOUR_MS, 11 * HOUR_MS)], 1.0, id="counted once"),
        pytest.param([(10, HOUR_MS), (5, HOUR_MS // 2)], (HOUR_MS - 5) / HOUR_MS, id="overlapping"),
        pytest.param([(-HOUR_MS, HOUR_MS)], 1.0, id="begun before the window"),
        pytest.param([(END_MS - HOUR_MS, END_MS + HOUR_MS)], 1.0, id="going on after it"),
        pytest.param([(-9, -1), (END_MS + 1, END_MS + 9)], 0.0, id="outside"),
        pytest.param([(0, 2 * HOUR_MS)], 2.0, id="twice the budget"),
    ],
)
def test_share_of_the_budget_that_is_spent(bad, expected):
    level = level_of_intervals(promise(), bad)
    assert level.spent == pytest.approx(expected)
    assert level.remaining[-1][1] == pytest.approx(1 - expected)
    assert level.remaining[0][1] == 1.0


def test_burn_rate_is_the_speed_of_spending():
    level = level_of_intervals(promise(), [(END_MS - HOUR_MS // 2, END_MS)])
    burns = dict(level.burns)
    assert burns[3600.0] == pytest.approx(50)
    assert burns[6 * 3600.0] == pytest.approx(50 / 6)


def test_a_ratio_is_averaged_over_what_was_measured():
    times = np.arange(1, 101, dtype=np.int64) * HOUR_MS
    good = np.full(100, 1.0)
    good[:50], good[60] = np.nan, 0.0
    level = level_of_ratio(promise(), times, good)
    assert level.bad == pytest.approx(1 / 50)


def test_a_ratio_that_never_was_says_so():
    times = np.arange(1, 5, dtype=np.int64) * HOUR_MS
    level = level_of_ratio(promise(), times, np.full(4, np.nan))
    assert (level.bad, level.spent) == (None, None)
    assert level.unmeasured


@given(st.lists(st.tuples(st.integers(-END_MS, 2 * END_MS), st.integers(0, END_MS)), max_size=20))
def test_spending_never_goes_back_and_never_exceeds_the_window(spans):
    level = level_of_intervals(promise(), [(start, start + length) for start, length in spans])
    left = [share for _, share in level.remaining]
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(left))
    assert 0 <= level.bad <= 1 + 1e-9
