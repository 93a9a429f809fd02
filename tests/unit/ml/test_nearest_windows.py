"""Nearest windows: what is unlike the past is strange, however ordinary its values are."""

from __future__ import annotations

import numpy as np

from ml.detectors.nearest_windows import BINS as DISTANCE_BINS
from ml.detectors.nearest_windows import LAG, NEIGHBOURS, PAST, ROWS, WIDTH, NearestWindows, follow
from ml.detectors.protocol import Batch

STEP_MS = 300_000


def batch(values):
    return Batch(np.arange(len(values), dtype=np.int64) * STEP_MS, values[None, None], STEP_MS)


def wave(points):
    random = np.random.default_rng(5)
    return np.sin(np.arange(points) * 2.0 * np.pi / 48.0) + random.normal(0.0, 0.05, points)


def test_ordinary_values_in_an_order_never_seen_are_strange():
    values = wave(1200)
    values[1100:1130] = values[1100:1130][::-1].copy() * np.tile([1.0, -1.0], 15)

    score = NearestWindows().learn(batch(values[:800]), seed=0).score(batch(values[800:])).score[0]

    assert np.nanmax(score[:300]) < 1.0
    assert np.nanmax(score[300:330]) > 1.0


def test_a_spike_says_less_in_a_series_of_spikes():
    random = np.random.default_rng(1)
    calm = random.normal(0.0, 1.0, 1500)
    spiky = np.where(random.random(1500) < 0.2, 40.0, calm)
    calm[1400] = spiky[1400] = 60.0

    calm_score, spiky_score = (
        NearestWindows().learn(batch(values[:900]), seed=0).score(batch(values[900:])).score[0, 500]
        for values in (calm, spiky)
    )

    assert calm_score > 1.0 > spiky_score


def test_distances_are_those_of_a_plain_search_after_the_memory_has_wrapped():
    points = ROWS + PAST + 700
    values = np.random.default_rng(3).normal(0.0, 1.0, points)
    rows = np.zeros((1, 2 * ROWS), np.float32)
    seen = np.zeros(1, np.int64)

    distances, _ = follow(values[None], rows, np.zeros((1, DISTANCE_BINS)), seen)

    for end in (points, points - 811, WIDTH + LAG + NEIGHBOURS + 5):
        ends = range(max(WIDTH, end - LAG - PAST + 1), end - LAG + 1)
        past = np.stack([values[each - WIDTH : each] for each in ends])
        every = np.sqrt(np.mean((past - values[end - WIDTH : end]) ** 2, axis=1))
        expected = np.sort(every)[:NEIGHBOURS].mean()
        np.testing.assert_allclose(distances[0, end - 1], expected, rtol=1e-4)
