"""What every detector promises, multiplied by every detector of the registry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.detectors.artefacts import load_model, save_model
from ml.detectors.protocol import Batch
from ml.detectors.registry import DEEP, DETECTORS

STEP_MS = 300_000
DAY = 288
TRAINED, SCORED = 3 * DAY, 120


def small(name):
    """A detector as it is, but for networks, which are made small enough for tests."""
    detector = DETECTORS[name]
    return replace(detector, hidden_units=8, steps=12) if name in DEEP else detector


pytestmark = pytest.mark.parametrize("detector", [pytest.param(small(name), id=name) for name in DETECTORS])


def metrics_of(detector):
    return 5 if detector.joint else 1


def grid(points, start=0):
    return (np.arange(points, dtype=np.int64) + start) * STEP_MS


def ordinary(detector, points, *, series=2, seed=7, start=0):
    """A daily wave with noise; the metrics of a host move together."""
    random = np.random.default_rng(seed)
    wave = 10.0 + 3.0 * np.sin(2.0 * np.pi * (np.arange(points) + start) / DAY)
    noise = random.normal(0.0, 0.3, (series, metrics_of(detector), points))
    return Batch(grid(points, start), wave + noise, STEP_MS)


def learned(detector, batch=None, seed=3):
    training = ordinary(detector, TRAINED) if batch is None else batch
    return detector.learn(training, seed=seed)


def later(detector, **changes):
    return ordinary(detector, SCORED, seed=11, start=TRAINED, **changes)


def with_values(batch, values):
    return replace(batch, values=values)


def burst(batch, rows=slice(80, 90), height=1000.0):
    values = batch.values.copy()
    values[:, :, rows] += height
    return with_values(batch, values)


def same(left, right):
    np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-8)


def test_what_is_ordinary_stays_below_one(detector):
    score = learned(detector).score(later(detector)).score

    assert score.shape == (2, SCORED)
    assert np.mean(score > 1.0) < 0.05


def test_a_burst_is_anomalous(detector):
    score = learned(detector).score(burst(later(detector))).score

    assert np.all(score[:, 80:90].max(axis=1) > 1.0)


def test_saved_and_loaded_it_scores_the_same(detector):
    model = learned(detector)
    again = load_model(save_model(model, {"span": "3d"}), dict(DETECTORS) | {detector.name: detector})

    same(again.score(later(detector)).score, model.score(later(detector)).score)


def test_incremental_equals_batch(detector):
    model, batch = learned(detector), burst(later(detector))
    values = batch.values.copy()
    values[0, :, 40:43] = np.nan
    state = model.start()

    stepped = [
        model.step(state, int(batch.timestamps_ms[row]), values[:, :, row].copy()) for row in range(SCORED)
    ]

    same(np.stack(stepped, axis=1), model.score(with_values(batch, values)).score)


def test_later_samples_change_nothing(detector):
    model, batch = learned(detector), later(detector)

    whole = model.score(burst(batch, slice(100, 120))).score

    same(model.score(batch.rows(0, 100)).score, whole[:, :100])


def test_what_context_says_is_enough(detector):
    model, batch = learned(detector), later(detector)
    if model.context < 0:
        pytest.skip("it depends on all earlier rows")

    tail = model.score(batch.rows(SCORED - 1 - model.context, SCORED)).score[:, -1]

    same(tail, model.score(batch).score[:, -1])


def test_same_seed_same_scores(detector):
    same(learned(detector).score(later(detector)).score, learned(detector).score(later(detector)).score)


def test_order_of_series_does_not_matter(detector):
    training, batch = ordinary(detector, TRAINED), later(detector)
    swapped = learned(detector, with_values(training, training.values[::-1].copy()))

    same(
        swapped.score(with_values(batch, batch.values[::-1].copy())).score[::-1],
        learned(detector, training).score(batch).score,
    )


def test_missing_samples_have_no_score(detector):
    batch = later(detector)
    values = batch.values.copy()
    values[0, :, 30:40] = np.nan

    score = learned(detector).score(with_values(batch, values)).score

    assert np.all(np.isnan(score[0, 30:40]))
    assert np.all(np.isfinite(np.delete(score[0], range(30, 40))))


def test_it_learns_past_missing_samples(detector):
    training = ordinary(detector, TRAINED)
    values = training.values.copy()
    values[:, :, ::7] = np.nan
    values[0, :, 100:300] = np.nan

    score = learned(detector, with_values(training, values)).score(later(detector)).score

    assert np.mean(score > 1.0) < 0.1


def _constant(values):
    values[:] = 5.0
    return values


def _zeros(values):
    values[:] = 0.0
    return values


def _absent(values):
    values[:] = np.nan
    return values


def _exploding(values):
    values[:, :, 50] *= 1e9
    values[:, :, 60] = np.inf
    return values


def _stepped(values):
    values[:, :, 60:] += 50.0
    return values


def _reset(values):
    return np.cumsum(np.abs(values), axis=2) % 400.0


STRANGE = [
    pytest.param(change, id=change.__name__.strip("_"))
    for change in (_constant, _zeros, _absent, _exploding, _stepped, _reset)
]


@pytest.mark.parametrize("change", STRANGE)
def test_strange_series_are_learned_and_scored(detector, change):
    training, batch = ordinary(detector, TRAINED), later(detector)
    model = learned(detector, with_values(training, change(training.values.copy())))

    for scored in (batch, with_values(batch, change(batch.values.copy()))):
        score = model.score(scored).score
        assert not np.any(np.isinf(score))
        assert np.all(score[np.isfinite(score)] >= 0.0)


@pytest.mark.parametrize("points", [0, 1, 2, 5])
def test_short_series_are_learned_and_scored(detector, points):
    model = learned(detector, ordinary(detector, points))

    score = model.score(ordinary(detector, points)).score

    assert score.shape == (2, points)
    assert not np.any(np.isinf(score))


def test_no_series_are_learned_and_scored(detector):
    model = learned(detector, ordinary(detector, DAY, series=0))

    assert model.score(ordinary(detector, SCORED, series=0)).score.shape == (0, SCORED)


def test_a_constant_that_moves_is_anomalous(detector):
    training, batch = ordinary(detector, TRAINED), later(detector)
    model = learned(detector, with_values(training, _constant(training.values.copy())))
    values = _constant(batch.values.copy())
    values[:, :, 80:90] = 50.0

    score = model.score(with_values(batch, values)).score

    assert np.all(score[:, :80] <= 1.0)
    assert np.all(score[:, 80:90].max(axis=1) > 1.0)


def test_a_poisoned_burst_does_not_become_ordinary(detector):
    """What was flagged is not learned: the same burst is anomalous after a day full of it."""
    training = ordinary(detector, TRAINED)
    poisoned = burst(training, slice(DAY, 2 * DAY))
    flagged = np.zeros((2, TRAINED), bool)
    flagged[:, DAY : 2 * DAY] = True
    model = learned(detector, replace(poisoned, excluded=flagged))

    score = model.score(burst(later(detector))).score

    assert np.all(score[:, 80:90].max(axis=1) > 1.0)


def test_a_score_is_explained(detector):
    model, batch = learned(detector), burst(later(detector))

    reasons = model.explain(batch, 0, 80)

    assert reasons[0].excess == max(reason.excess for reason in reasons)
    assert reasons[0].feature
