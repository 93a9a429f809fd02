"""The delays between attempts: bounds, jitter, Retry-After, and the end."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.notify.retries import MAX_ATTEMPTS, GiveUp, Retry, after_failure


@pytest.mark.parametrize(
    ("attempts", "least_s", "most_s"),
    [
        pytest.param(1, 1, 2, id="first"),
        pytest.param(2, 2, 4, id="doubled"),
        pytest.param(5, 16, 32, id="fifth"),
        pytest.param(10, 300, 600, id="at the ceiling"),
        pytest.param(14, 300, 600, id="last but one"),
    ],
)
def test_delays_spread_over_their_upper_half(attempts, least_s, most_s):
    random = Random(1)
    delays = [after_failure("x", attempts=attempts, retry_after_s=None, random=random) for _ in range(200)]
    assert all(isinstance(delay, Retry) and least_s <= delay.delay_s <= most_s for delay in delays)
    spread = max(delay.delay_s for delay in delays) - min(delay.delay_s for delay in delays)
    assert spread > 0.9 * (most_s - least_s)


@pytest.mark.parametrize(
    ("retry_after_s", "expected_s"),
    [
        pytest.param(30.0, 30.0, id="longer than ours"),
        pytest.param(0.0, 1.0, id="shorter than ours"),
        pytest.param(86_400.0, 3600.0, id="bounded by an hour"),
        pytest.param(float("inf"), 3600.0, id="endless"),
    ],
)
def test_retry_after_is_a_lower_bound(retry_after_s, expected_s):
    verdict = after_failure("x", attempts=1, retry_after_s=retry_after_s, random=Random(1))
    assert isinstance(verdict, Retry)
    assert expected_s <= verdict.delay_s <= max(expected_s, 2.0)


def test_the_same_seed_gives_the_same_delay():
    first, second = (after_failure("x", attempts=3, retry_after_s=None, random=Random(7)) for _ in range(2))
    assert first == second


def test_the_last_attempt_gives_up_with_the_cause():
    verdict = after_failure("HTTP 503", attempts=MAX_ATTEMPTS, retry_after_s=5, random=Random(1))
    assert verdict == GiveUp("15 attempts failed, the limit; the last: HTTP 503")


@given(attempts=st.integers(1, 1000), retry_after_s=st.none() | st.floats(0, 1e9), seed=st.integers())
def test_every_failure_is_followed_by_a_bounded_retry_or_the_end(attempts, retry_after_s, seed):
    verdict = after_failure("x", attempts=attempts, retry_after_s=retry_after_s, random=Random(seed))
    if attempts >= MAX_ATTEMPTS:
        assert isinstance(verdict, GiveUp)
    else:
        assert isinstance(verdict, Retry)
        assert 1.0 <= verdict.delay_s <= 3600.0
