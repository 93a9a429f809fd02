"""Measures what detectors cost: ticks of many series, fits of many models, memory, quantised networks.

In: how many series. Out: rates on one core, from CPU time. Refused: nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ml.detectors.protocol import Batch, Detector, Model
from ml.detectors.registry import DEEP, DETECTORS

STEP_MS: Final = 60_000
DAY: Final = 1440
TRAINED_ROWS: Final = 1440
TRAINED_MODELS: Final = 1000
SHARE_OF_SERIES: Final = 1000
"""Series that a model is learned of at once; larger numbers are that many models' worth of copies."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One measured rate. `what` says of what, `value` in `unit`."""

    what: str
    value: float
    unit: str


def synthetic(series: int, rows: int, *, seed: int = 1, start: int = 0) -> Batch:
    """Daily waves with noise, one metric a series."""
    random = np.random.default_rng(seed)
    wave = np.sin(2.0 * np.pi * (np.arange(rows) + start) / DAY)
    values = 50.0 + 10.0 * wave + random.normal(0.0, 2.0, (series, 1, rows))
    times = (np.arange(rows, dtype=np.int64) + start) * STEP_MS
    return Batch(times, values, STEP_MS)


def cpu_s(work: Callable[[], Any]) -> float:
    """CPU seconds of this process that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def per_minute(model: Model, batch: Batch) -> float:
    """Series of which one core scores the newest row in a minute, all in one step."""
    state = model.start()
    for row in range(batch.points - 1):
        model.step(state, int(batch.timestamps_ms[row]), batch.values[:, :, row])
    last = batch.points - 1
    spent = cpu_s(lambda: model.step(state, int(batch.timestamps_ms[last]), batch.values[:, :, last]))
    return 60.0 * len(batch) / max(spent, 1e-9)


def bytes_per_series(model: Model, series: int) -> float:
    """Learned arrays and state, a series."""
    return sum(array.nbytes for array in model.to_arrays().values()) / series


def measure_default(detector: Detector, sizes: tuple[int, ...]) -> Iterator[Rate]:
    """The default detector: fits, memory, and ticks of each number of series."""
    batch = synthetic(TRAINED_MODELS, TRAINED_ROWS)
    model = detector.learn(synthetic(2, 200), seed=0)
    spent = cpu_s(lambda: detector.learn(batch, seed=0))
    yield Rate(f"training {TRAINED_MODELS} {detector.name} models of a day", spent, "s")
    for size in sizes:
        model = detector.learn(synthetic(size, 120), seed=0)
        rate = per_minute(model, synthetic(size, 3, start=120))
        yield Rate(f"{detector.name}, {size} series a tick", rate, "series a minute")
    yield Rate(f"{detector.name}, memory", bytes_per_series(model, sizes[-1]), "bytes a series")
    single = detector.learn(synthetic(1, 120), seed=0)
    rate = per_minute(single, synthetic(1, 3, start=120))
    yield Rate(f"{detector.name}, one series a tick", rate, "series a minute")


def measure_network(series: int) -> Iterator[Rate]:
    """The recurrent autoencoder: float and eight bits, batch and single. Nothing where torch is absent."""
    if "lstm_autoencoder" not in DEEP:
        return
    detector: Any = DETECTORS["lstm_autoencoder"]
    batch = synthetic(series, 400)
    model = detector.learn(batch, seed=0)
    tick = synthetic(series, 3, start=400)
    small = model.quantised()
    for name, each in (("float", model), ("int8", small)):
        yield Rate(
            f"lstm_autoencoder {name}, {series} series a tick", per_minute(each, tick), "series a minute"
        )
    errors = np.abs(small.score(batch).score - model.score(batch).score)
    yield Rate("lstm_autoencoder int8 against float", float(errors.mean()), "mean difference of scores")
    one = detector.learn(synthetic(1, 400), seed=0)
    rate = per_minute(one, synthetic(1, 3, start=400))
    yield Rate("lstm_autoencoder float, one series a tick", rate, "series a minute")
