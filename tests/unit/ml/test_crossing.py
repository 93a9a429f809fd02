"""The probability that a forecast meets a condition."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from ml.forecasting.crossing import crossing_chance
from ml.forecasting.protocol import Forecast

EXPECTED = np.array([[10.0, 20.0]])
WIDE = Forecast(EXPECTED, np.stack([EXPECTED - 5, EXPECTED - 9]), np.stack([EXPECTED + 5, EXPECTED + 9]))
SHARP = Forecast(EXPECTED, np.stack([EXPECTED, EXPECTED]), np.stack([EXPECTED, EXPECTED]))


@pytest.mark.parametrize(
    ("told", "operator", "bound", "chances"),
    [
        pytest.param(WIDE, ">", 10.0, [0.5, 0.995], id="the expected value is a coin toss"),
        pytest.param(WIDE, ">", 15.0, [0.1, 0.9], id="the ends of the interval"),
        pytest.param(WIDE, "<=", 15.0, [0.9, 0.1], id="below"),
        pytest.param(SHARP, ">=", 15.0, [0.0, 1.0], id="without a width it is certain"),
    ],
)
def test_chances_of_crossing(told, operator, bound, chances):
    np.testing.assert_allclose(crossing_chance(told, operator, bound)[0], chances, atol=0.005)


def test_an_equality_has_no_order():
    with pytest.raises(InvalidParameter, match="operator"):
        crossing_chance(WIDE, "==", 1.0)
