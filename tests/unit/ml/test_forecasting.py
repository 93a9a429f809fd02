"""Forecasters: seasons, short and broken histories, intervals, times to thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from ml.forecasting.boosted import Boosted
from ml.forecasting.combination import Combination, forecast
from ml.forecasting.holt_winters import HoltWinters
from ml.forecasting.protocol import History
from ml.forecasting.seasonal import SeasonalBlend, SeasonalNaive
from ml.forecasting.time_to_threshold import time_to_threshold

DAY = 24
FORECASTERS = [
    pytest.param(each, id=each.name)
    for each in (SeasonalNaive(), SeasonalBlend(), HoltWinters(), Boosted(rounds=20))
]


def waves(points, *, noise=0.1, series=2):
    random = np.random.default_rng(5)
    wave = 10.0 + 3.0 * np.sin(2.0 * np.pi * np.arange(points) / DAY)
    return wave + random.normal(0.0, noise, (series, points))


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_a_daily_wave_goes_on(forecaster):
    values = waves(29 * DAY)

    told = forecaster.predict(History(values[:, : 28 * DAY], DAY), DAY)

    assert told.shape == (2, DAY)
    assert np.mean(np.abs(told - values[:, 28 * DAY :])) < 0.4


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("points", [1, 5, DAY + 3, 3 * DAY])
def test_short_histories_have_a_forecast(forecaster, points):
    told = forecaster.predict(History(waves(points), DAY), 30)

    assert told.shape == (2, 30)
    assert np.all(np.isfinite(told))


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_missing_samples_do_not_spread(forecaster):
    values = waves(23 * DAY)
    values[0, ::5] = np.nan

    assert np.all(np.isfinite(forecaster.predict(History(values, DAY), DAY)))


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_a_horizon_of_nothing_is_refused(forecaster):
    with pytest.raises(InvalidParameter, match="horizon is 0"):
        forecaster.predict(History(waves(DAY), DAY), 0)


def test_intervals_hold_their_share():
    values = waves(80 * DAY, noise=1.0, series=8)
    combination = Combination((SeasonalBlend(), SeasonalBlend(days=7)))

    told = forecast(combination, History(values[:, : 79 * DAY], DAY), DAY)

    after = values[:, 79 * DAY :]
    held = [
        np.mean((after >= low) & (after <= high)) for low, high in zip(told.lower, told.upper, strict=True)
    ]
    assert 0.7 < held[0] < 0.9
    assert 0.88 < held[1] <= 1.0


@pytest.mark.parametrize(
    ("values", "threshold", "expected_s"),
    [
        pytest.param(np.arange(50.0), 59.0, 600.0, id="a rising disk"),
        pytest.param(100.0 - np.arange(50.0), 41.0, 600.0, id="a falling quota"),
        pytest.param(np.arange(50.0), 40.0, np.inf, id="it leads away"),
        pytest.param(np.full(50, 7.0), 9.0, np.inf, id="it does not move"),
        pytest.param(np.array([1.0, np.nan]), 9.0, np.inf, id="too short"),
    ],
)
def test_time_to_threshold(values, threshold, expected_s):
    assert time_to_threshold(values, threshold, step_s=60.0).expected_s == pytest.approx(expected_s)


def test_the_bounds_of_a_crossing_hold_it():
    values = np.arange(200.0) + np.random.default_rng(3).normal(0.0, 5.0, 200)

    crossing = time_to_threshold(values, 400.0, step_s=60.0)

    assert crossing.earliest_s <= crossing.expected_s <= crossing.latest_s
    assert crossing.expected_s == pytest.approx(200 * 60, rel=0.2)
