"""What a person asks of scores: sensitivity, side and least deviation."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detectors.protocol import Scores
from ml.learning.terms import Terms, on_terms

VALUES = np.array([[4.0, 10.0, 16.0, np.nan]])
SCORES = Scores(
    np.array([[3.0, 0.2, 3.0, np.nan]]), np.full((1, 4), 10.0), np.full((1, 4), 8.0), np.full((1, 4), 12.0)
)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        pytest.param(Terms(), [3.0, 0.2, 3.0], id="both sides"),
        pytest.param(Terms(direction="up"), [1.0, 0.2, 3.0], id="above"),
        pytest.param(Terms(direction="down"), [3.0, 0.2, 1.0], id="below"),
        pytest.param(Terms(min_deviation=7.0), [1.0, 0.2, 1.0], id="too near"),
        pytest.param(Terms(sensitivity=2.0), [6.0, 0.4, 6.0], id="sensitive"),
    ],
)
def test_scores_are_on_the_terms_asked(terms, expected):
    judged = on_terms(SCORES, VALUES, terms).score[0]
    assert judged[:3].tolist() == expected
    assert np.isnan(judged[3])


def test_sensitivity_narrows_the_band_and_no_band_passes_over_nothing():
    judged = on_terms(SCORES, VALUES, Terms(sensitivity=2.0))
    assert (judged.lower[0, 0], judged.upper[0, 0]) == (9.0, 11.0)
    bare = on_terms(Scores(SCORES.score), VALUES, Terms(direction="up"))
    assert bare.score[0, 0] == 3.0
