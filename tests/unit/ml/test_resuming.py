"""A fit of a network that is interrupted goes on after its last kept step, to the same model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from ml.bench.scoring import synthetic
from ml.detectors.protocol import Arrays
from ml.detectors.registry import DEEP, DETECTORS
from ml.forecasting.protocol import History
from ml.forecasting.registry import FORECASTERS

pytestmark = pytest.mark.skipif(not DEEP, reason="torch is not installed")


@dataclass
class Kept:
    """Progress in memory that ends the fit at a step."""

    ends_at: int
    steps: list[int] = field(default_factory=list)
    arrays: Arrays | None = None

    def saved(self) -> Arrays | None:
        return self.arrays

    def keep(self, step: int, arrays: Arrays) -> None:
        self.steps.append(step)
        self.arrays = {name: array.copy() for name, array in arrays.items()}
        if step == self.ends_at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", DEEP)
def test_a_resumed_fit_gives_the_model_of_one_without_a_break(name):
    batch = synthetic(2, 300)
    whole = DETECTORS[name].learn(batch, seed=1).to_arrays()
    progress = Kept(ends_at=30)
    with pytest.raises(KeyboardInterrupt):
        DETECTORS[name].learn(batch, seed=1, progress=progress)
    resumed = DETECTORS[name].learn(batch, seed=1, progress=progress).to_arrays()
    assert progress.steps == [15, 30, 45, 60]
    for array, value in whole.items():
        np.testing.assert_allclose(resumed[array], value, rtol=1e-5, atol=1e-6, err_msg=array)


@pytest.mark.skipif("lstm" not in FORECASTERS, reason="torch is not installed")
def test_a_resumed_fit_of_a_forecaster_gives_the_model_of_one_without_a_break():
    hours = np.arange(24 * 24)
    values = np.sin(2.0 * np.pi * hours / 24.0) + np.random.default_rng(1).normal(0.0, 0.1, len(hours))
    history = History(values[None], 24)
    lstm = replace(FORECASTERS["lstm"], hidden_units=8, steps=180)
    whole = lstm.learn([history], 24, seed=1).to_arrays()
    progress = Kept(ends_at=120)
    with pytest.raises(KeyboardInterrupt):
        lstm.learn([history], 24, seed=1, progress=progress)
    resumed = lstm.learn([history], 24, seed=1, progress=progress).to_arrays()
    assert progress.steps == [60, 120, 180]
    for array, value in whole.items():
        np.testing.assert_allclose(resumed[array], value, rtol=1e-5, atol=1e-6, err_msg=array)
