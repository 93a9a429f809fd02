"""Series as rule authors write them."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.samples import is_stale
from rules.language.notation import InvalidNotation, parse_series, parse_values


@pytest.mark.parametrize(
    ("notation", "values"),
    [
        pytest.param("1 -2.5 1e3", [1, -2.5, 1000], id="numbers"),
        pytest.param("1x3", [1, 1, 1, 1], id="repeated"),
        pytest.param("1+2x3", [1, 3, 5, 7], id="rising"),
        pytest.param("-2-4x2", [-2, -6, -10], id="falling"),
        pytest.param("_ 1 _x2", [None, 1, None, None], id="gaps"),
        pytest.param("0x2", [0, 0, 0], id="zeros are not hexadecimal"),
        pytest.param("Inf", [float("inf")], id="infinity"),
    ],
)
def test_values(notation, values):
    assert parse_values(notation) == values


def test_stale_is_the_marker_and_nan_is_not():
    assert is_stale(np.array(parse_values("stale NaN"))).tolist() == [True, False]


@pytest.mark.parametrize("notation", ["1x", "one", "{{schema:0}}", "1x2x3", "1x999999999"])
def test_what_is_no_value_is_refused(notation):
    with pytest.raises(InvalidNotation):
        parse_values(notation)


def test_series_are_selectors_of_equalities():
    assert parse_series('up{job="a"}') == (("__name__", "up"), ("job", "a"))
    assert parse_series("{}") == ()
    for text in ('up{job=~"a"}', "up + 1", "up{"):
        with pytest.raises(InvalidNotation):
            parse_series(text)
