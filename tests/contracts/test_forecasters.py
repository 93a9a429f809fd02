"""What every forecaster promises, multiplied by every forecaster of the registry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from ml.detectors.artefacts import CorruptArtefact
from ml.forecasting.boosted import Boosted
from ml.forecasting.combination import Combination
from ml.forecasting.protocol import History
from ml.forecasting.registry import (
    DEEP,
    FORECASTERS,
    forecaster,
    load_forecast_model,
    save_forecast_model,
)

DAY = 24
TRAINED = 22 * DAY


def small(name):
    """A forecaster as it is, but for what takes long to learn, which is made small enough for tests."""
    made = FORECASTERS[name]
    if name in DEEP:
        return replace(made, hidden_units=8, steps=150)
    if isinstance(made, Boosted):
        return replace(made, rounds=20)
    if isinstance(made, Combination):
        return Combination((Boosted(rounds=20), *made.members[2:]))
    return made


pytestmark = pytest.mark.parametrize("asked", [pytest.param(small(name), id=name) for name in FORECASTERS])


def waves(points=TRAINED, *, noise=0.2, series=2):
    random = np.random.default_rng(5)
    wave = 10.0 + 3.0 * np.sin(2.0 * np.pi * np.arange(points) / DAY)
    return wave + random.normal(0.0, noise, (series, points))


def learned(asked, values=None, seed=1):
    return asked.learn([History(waves() if values is None else values, DAY)], DAY, seed=seed)


def test_a_daily_wave_goes_on(asked):
    values = waves(TRAINED + DAY)

    told = learned(asked).predict(History(values[:, :TRAINED], DAY), DAY)

    assert told.shape == (2, DAY)
    assert np.mean(np.abs(told - values[:, TRAINED:])) < 0.6


@pytest.mark.parametrize("horizon", [1, DAY, 7 * DAY])
def test_the_horizon_is_the_one_asked_for(asked, horizon):
    assert learned(asked).predict(History(waves(), DAY), horizon).shape == (2, horizon)


def test_a_horizon_of_nothing_is_refused(asked):
    with pytest.raises(InvalidParameter, match="horizon is 0"):
        learned(asked).predict(History(waves(), DAY), 0)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.full((2, TRAINED), 7.0), id="constant"),
        pytest.param(np.zeros((2, TRAINED)), id="zeros"),
        pytest.param(10.0 ** np.linspace(0, 290, 2 * TRAINED).reshape(2, -1), id="exploding"),
        pytest.param(np.where(np.arange(TRAINED) % 5, waves(), np.nan), id="a fifth missing"),
        pytest.param(np.full((2, TRAINED), np.nan), id="all missing"),
        pytest.param(np.where(np.arange(TRAINED) == 100, np.inf, waves()), id="an infinity"),
        pytest.param(waves(DAY + 3), id="a day"),
        pytest.param(waves(3), id="three points"),
        pytest.param(waves(1), id="one point"),
        pytest.param(waves(0), id="no point"),
        pytest.param(waves(series=0), id="no series"),
    ],
)
def test_whatever_comes_has_a_finite_forecast(asked, values):
    told = learned(asked, values).predict(History(values, DAY), DAY)

    assert told.shape == (len(values), DAY)
    assert np.all(np.isfinite(told))


def test_a_constant_goes_on(asked):
    values = np.full((1, TRAINED), 7.0)

    np.testing.assert_allclose(learned(asked, values).predict(History(values, DAY), DAY), 7.0, rtol=0.02)


def test_later_samples_change_nothing(asked):
    model, values = learned(asked), waves(TRAINED + DAY)
    before = model.predict(History(values, DAY).until(TRAINED), DAY)

    values[:, TRAINED:] += 1000.0

    np.testing.assert_array_equal(model.predict(History(values, DAY).until(TRAINED), DAY), before)


def test_one_series_does_not_change_another(asked):
    model, values = learned(asked), waves()
    alone = model.predict(History(values[:1], DAY), DAY)

    together = model.predict(History(np.stack([values[1] * 9.0, values[0]]), DAY), DAY)

    np.testing.assert_allclose(together[1], alone[0])


def test_the_order_of_series_does_not_matter(asked):
    values = waves()
    history = History(values, DAY)

    np.testing.assert_allclose(
        learned(asked, values[::-1]).predict(history, DAY), learned(asked, values).predict(history, DAY)
    )


def test_the_same_seed_gives_the_same_forecast(asked):
    history = History(waves(), DAY)

    np.testing.assert_array_equal(learned(asked).predict(history, DAY), learned(asked).predict(history, DAY))


def test_saved_and_loaded_it_tells_the_same(asked):
    model, history = learned(asked), History(waves(), DAY)
    data = save_forecast_model(model, np.ones((2, 2, DAY)))

    if isinstance(asked, Combination):
        loaded = asked.restore(model.to_arrays())
    else:
        loaded = load_forecast_model(data).model

    np.testing.assert_array_equal(loaded.predict(history, DAY), model.predict(history, DAY))
    with pytest.raises(CorruptArtefact):
        load_forecast_model(data[:-9] + b"something")


def test_it_is_found_by_its_name(asked):
    assert forecaster(asked.name).name == asked.name == learned(asked).forecaster
