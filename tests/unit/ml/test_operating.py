"""What keeps models in order between trainings: thresholds from feedback, and drift."""

import numpy as np
import pytest

from ml.learning.drift import PSI_BOUND, profile_of, stability_index
from ml.learning.thresholds import LEAST_SCALE, MOST_SCALE, Verdict, calibrate


@pytest.mark.parametrize(
    ("verdicts", "expected", "told"),
    [
        pytest.param([("noise", 1.2)] * 3, 1.2 * 1.02, "3 noise", id="enough noise raises it"),
        pytest.param([("noise", 1.2)] * 2, 1.0, "", id="two are not enough"),
        pytest.param([("noise", 9.0)] * 9, 1.5, "9 noise", id="never far at once"),
        pytest.param(
            [("noise", 1.4)] * 3 + [("useful", 1.2)], 1.2 / 1.02, "1 useful", id="not beyond what was useful"
        ),
        pytest.param([("noise", 1.4)] * 3 + [("useful", 2.0)] * 3, 1.0, "", id="as many were useful"),
        pytest.param([("missed", 0.8)], 0.8 / 1.02, "1 missed", id="missed lowers it"),
        pytest.param([("missed", 0.01)], 1 / 1.5, "1 missed", id="missed by far lowers it within bounds"),
        pytest.param([("missed", 0.8)] + [("noise", 1.2)] * 5, 0.8 / 1.02, "missed", id="missed goes first"),
        pytest.param([("missed", 3.0)], 1.0, "", id="it scored, but no rule told"),
        pytest.param([], 1.0, "", id="nothing said"),
    ],
)
def test_feedback_moves_the_scale_within_bounds_and_says_why(verdicts, expected, told):
    found = calibrate([Verdict(*one) for one in verdicts], 1.0)
    assert found.scale == pytest.approx(expected)
    assert told in found.reason
    assert bool(found.reason) == (found.scale != 1.0)


def test_the_scale_ends_somewhere():
    assert calibrate([Verdict("noise", 5.0)] * 5, MOST_SCALE).reason == ""
    assert calibrate([Verdict("missed", 0.1)] * 5, 0.6).scale == LEAST_SCALE


def test_only_what_changed_has_drifted():
    random = np.random.default_rng(1)
    learned = profile_of(random.normal(10.0, 1.0, (4, 2000)))
    now = random.normal(10.0, 1.0, (4, 1000))
    now[1] += 2.0
    now[2] *= 3.0
    now[3, 50:] = np.nan
    same, moved, wider, sparse = stability_index(learned, now)
    assert same < 0.05
    assert moved > PSI_BOUND
    assert wider > PSI_BOUND
    assert np.isnan(sparse)


def test_series_of_few_values_do_not_drift_by_themselves():
    values = np.random.default_rng(2).integers(0, 3, (1, 3000)).astype(float)
    learned = profile_of(values)
    assert stability_index(learned, values)[0] < 0.05
    assert stability_index(learned, np.full((1, 300), 2.0))[0] > PSI_BOUND
    constant = profile_of(np.zeros((1, 200)))
    assert stability_index(constant, np.zeros((1, 200)))[0] == pytest.approx(0.0, abs=0.1)
