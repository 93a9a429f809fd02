"""Intervals of forecasts, evaluation over packs, times to thresholds."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ml.forecasting.combination import forecast
from ml.forecasting.protocol import History
from ml.forecasting.registry import FORECASTERS
from ml.forecasting.seasonal import SeasonalBlend, SeasonalMedian
from ml.forecasting.similar_days import SimilarDays
from ml.forecasting.time_to_threshold import time_to_threshold
from ml.learning.evaluation import Run
from ml.learning.forecasting import evaluate_forecasts

DAY = 24


def waves(points, *, noise=0.1, series=2):
    random = np.random.default_rng(5)
    wave = 10.0 + 3.0 * np.sin(2.0 * np.pi * np.arange(points) / DAY)
    return wave + random.normal(0.0, noise, (series, points))


def test_intervals_hold_their_share():
    values = waves(80 * DAY, noise=1.0, series=8)

    told = forecast(SeasonalBlend(), History(values[:, : 79 * DAY], DAY), DAY)

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


def test_a_broken_day_moves_a_median_little():
    values = waves(6 * DAY, series=1)
    values[0, 3 * DAY : 4 * DAY] += 100.0

    told = SeasonalMedian("daily").predict(History(values, DAY), DAY)

    assert np.abs(told - values[:, -DAY:]).max() < 2.0


@pytest.mark.parametrize("hours", [12, 24])
def test_what_followed_a_similar_day_comes_again(hours):
    """Days of two kinds that follow each other at random: a morning tells the afternoon."""
    kinds = np.random.default_rng(2).integers(0, 2, 60)
    morning, afternoon = np.repeat(kinds, DAY // 2), np.repeat(kinds, DAY // 2)
    days = np.concatenate([morning.reshape(60, -1), 10.0 * afternoon.reshape(60, -1)], axis=1)
    noon = 59 * DAY + DAY // 2

    told = SimilarDays(hours).predict(History(days.reshape(1, -1)[:, :noon], DAY), DAY // 2)

    np.testing.assert_allclose(told[0], 10.0 * kinds[-1])


def test_a_similar_day_is_followed_from_the_level_of_now():
    values = waves(30 * DAY, noise=0.0, series=1)
    values[0, -12:] += 4.0

    missed = (
        SimilarDays(12).predict(History(values, DAY), DAY) - waves(31 * DAY, noise=0.0, series=1)[:, -DAY:]
    )

    assert missed[0, 0] == pytest.approx(3.6)
    assert missed[0, -1] < 0.5


def write_pack(directory, *, later=0.0):
    """A pack of one series of half hours, 30 days, of which the last 10 are scored."""
    values = np.repeat(waves(30 * DAY, series=1)[0], 2)
    values[-2 * DAY :] += later
    start = 1_500_000_000 // 86_400 * 86_400
    lines = ["timestamp,value", *(f"{start + 1800 * row},{value}" for row, value in enumerate(values))]
    directory.mkdir()
    (directory / "one.csv").write_text("\n".join(lines), encoding="utf-8")
    scored = start + 20 * 86_400
    item = {"id": "one", "group": "g", "file": "one.csv", "eval_start": scored, "step_seconds": 1800}
    (directory / "manifest.json").write_text(json.dumps({"series": [item]}), encoding="utf-8")
    return directory


def evaluated(tmp_path, name, **changes):
    pack = write_pack(tmp_path / f"pack{len(changes)}", **changes)
    out = tmp_path / f"out{len(changes)}"
    (quality,) = evaluate_forecasts(FORECASTERS[name], pack, out, Run(0, lambda: 0.0))
    with (out / "one.csv").open(encoding="utf-8") as file:
        return quality, list(csv.DictReader(file))


def test_forecasts_over_a_pack_are_measured_against_yesterday(tmp_path):
    quality, rows = evaluated(tmp_path, "daily_median")

    assert quality.forecasts == 10
    assert len(rows) == 10 * DAY
    assert 0.4 < quality.mase < 1.0
    assert 0.65 < quality.coverage[0] < 0.95
    assert (
        int(rows[0]["timestamp"]) == int(rows[0]["origin"]) == 1_500_000_000 // 86_400 * 86_400 + 20 * 86_400
    )


def test_what_comes_later_changes_no_forecast(tmp_path):
    _, before = evaluated(tmp_path, "seasonal_blend")
    _, after = evaluated(tmp_path, "seasonal_blend", later=50.0)

    assert [row["expected"] for row in before] == [row["expected"] for row in after]
    assert before[-1]["value"] != after[-1]["value"]
