"""Training of the ensemble's trees."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from ml.detectors.metric_ensemble import shipped_trees
from ml.detectors.stream import COUNT
from ml.detectors.trees import Trees
from ml.learning.boosting import Lesson, event_weights, train


def lesson(anomalous):
    random = np.random.default_rng(4)
    rows = random.normal(size=(400, COUNT)).astype(np.float32)
    rows[anomalous, 3] += 6.0
    return Lesson("g", frozenset({"minutes"}), rows, anomalous, np.full(400, 1 / 400))


def test_trees_learn_what_is_labelled():
    anomalous = np.arange(400) % 5 == 0
    taught = lesson(anomalous)

    margins = train([taught], seed=0, rounds=20).margins(taught.rows)

    assert margins[anomalous].min() > margins[~anomalous].max()


def test_nothing_labelled_teaches_nothing():
    with pytest.raises(InvalidParameter, match="labels"):
        train([lesson(np.zeros(400, bool))], seed=0)


def test_each_event_weighs_the_same():
    labels = np.array([0, 1, 1, 1, 1, 0, 1, 1], bool)

    assert event_weights(labels).tolist() == [0, 0.25, 0.25, 0.25, 0.25, 0, 0.5, 0.5]


@pytest.mark.parametrize("resolution", ["minutes", "hours"])
def test_the_shipped_trees_load(resolution):
    margins = shipped_trees(resolution).margins(np.zeros((3, COUNT), np.float32))

    assert np.all(np.isfinite(margins))


def test_arrays_that_are_no_trees_are_refused():
    with pytest.raises(ValueError, match="no trees"):
        Trees(
            np.zeros(1, np.int32),
            np.zeros(3, np.int32),
            np.zeros(3, np.float32),
            np.full(3, 9, np.int32),
            0.0,
        )
