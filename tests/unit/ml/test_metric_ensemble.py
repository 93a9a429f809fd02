"""What the ensemble for single metrics calls strange, of series with and without a known season."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detectors.bands import robust_level
from ml.detectors.metric_ensemble import FRESH, SEASONED, MetricEnsemble, usual
from ml.detectors.protocol import Batch
from ml.detectors.stream import FEATURES

STEP_MS = 300_000
DAY = 288


def batch_of(values, first=0):
    stamps = (first + np.arange(len(values))) * STEP_MS
    return Batch(stamps, np.asarray(values, float)[None, None], STEP_MS)


def daily(days, noise):
    random = np.random.default_rng(7)
    rows = np.arange(days * DAY)
    return np.sin(rows / DAY * 2 * np.pi) + noise * random.normal(size=len(rows))


def scores_after(values, trained):
    model = MetricEnsemble().learn(batch_of(values[:trained]), seed=0)
    return model.score(batch_of(values[trained:], trained)).score[0]


@pytest.mark.parametrize(
    ("days", "used"), [pytest.param(14, SEASONED, id="seasoned"), pytest.param(13, FRESH, id="fresh")]
)
def test_two_weeks_of_history_decide_what_is_looked_at(days, used):
    values = daily(days, 0.1)
    model = MetricEnsemble().learn(batch_of(values), seed=0)

    reasons = model.explain(batch_of([9.0], len(values)), 0, 0)

    assert {reason.feature for reason in reasons} == set(used)
    assert set(used) <= set(FEATURES)


def test_a_dip_of_hours_within_the_noise_is_told_from_a_season():
    values = daily(24, 0.5)
    dip = slice(22 * DAY, 22 * DAY + 60)
    values[dip] -= 0.9

    score = scores_after(values, 20 * DAY)

    here, elsewhere = score[2 * DAY + 20 : 2 * DAY + 60], score[: 2 * DAY]
    assert np.median(here) > np.quantile(elsewhere, 0.97)


def test_a_small_step_of_a_smooth_series_is_strange():
    values = daily(24, 0.0005)
    values[22 * DAY + 100 :] += 0.05

    score = scores_after(values, 20 * DAY)

    assert score[2 * DAY + 100] > 1.0 > 1.5 * score[: 2 * DAY + 100].max()


def test_an_incident_that_lasts_stays_as_strange_as_it_began():
    values = daily(24, 0.1)
    values[22 * DAY : 22 * DAY + 150] += 3.0

    score = scores_after(values, 20 * DAY)[2 * DAY :]

    assert np.median(score[100:150]) > 0.9 * np.median(score[5:50])
    assert np.median(score[5:50]) > 1.0


def test_a_stream_that_remembers_other_things_is_refused():
    detector = MetricEnsemble()
    arrays = detector.learn(batch_of(daily(3, 0.1)), seed=0).to_arrays()
    arrays["states"] = arrays["states"][:, :-1]

    with pytest.raises(ValueError, match="states"):
        detector.restore(arrays)


def test_spikes_of_a_series_of_zeros_are_told_apart_by_height():
    random = np.random.default_rng(2)
    values = np.zeros(24 * DAY)
    values[random.choice(20 * DAY, 60, replace=False)] = 20.0
    values[21 * DAY], values[22 * DAY], values[23 * DAY] = 20.0, 200.0, 2000.0

    score = scores_after(values, 20 * DAY)

    assert score[DAY] < score[2 * DAY] < score[3 * DAY]


def test_a_series_that_always_moves_keeps_its_robust_scale():
    values = np.random.default_rng(3).normal(size=(2, 5000))
    values[1, 40:50] = 12.0

    assert usual(values)[1] == pytest.approx(robust_level(values)[1])


def test_the_scale_of_rare_spikes_is_that_of_the_spikes():
    values = np.zeros((1, 10_000))
    values[0, ::1000] = 500.0

    _, scale = usual(values)

    assert scale[0] > 1.0
