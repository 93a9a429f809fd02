"""Measures what detectors cost: ticks of many series, fits of many models, memory, quantised networks.

In: how many series. Out: rates on one core, from CPU time. Refused: nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

import numpy as np

from ml.detectors.protocol import Batch, Detector, Model
from ml.detectors.registry import DEEP, DETECTORS
from ml.detectors.rings import Ring

STEP_MS: Final = 60_000
DAY: Final = 1440
TRAINED_ROWS: Final = 1440
TRAINED_MODELS: Final = 1000
LEARNED_ROWS: Final = 120
LEARNED_SERIES: Final = 100
NETWORK_ROWS: Final = 400
REPEATED: Final = 3
"""A tick is scored so often from the same state, and the quickest counts: others work on the machine."""


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
    """Series of which one core scores the newest row in a minute, all in one step.

    A model that looks back has seen the rows before, as it has in operation.
    """
    state = model.start()
    see = state.push if isinstance(state, Ring) else partial(model.step, state)
    for row in range(batch.points - 1):
        see(int(batch.timestamps_ms[row]), batch.values[:, :, row])
    newest = int(batch.timestamps_ms[-1]), batch.values[:, :, -1]
    copies = [deepcopy(state) for _ in range(REPEATED)]
    spent = min(cpu_s(partial(model.step, each, *newest)) for each in copies)
    return 60.0 * len(batch) / max(spent, 1e-9)


def repeated(model: Any, series: int, learned: int) -> Any:
    """A model of `learned` series for so many, on the scales of its own in turn."""
    arrays = {each.name: getattr(model, each.name) for each in fields(model)}
    own = {name: one for name, one in arrays.items() if isinstance(one, np.ndarray) and len(one) == learned}
    return replace(model, **{name: one[np.arange(series) % learned] for name, one in own.items()})


def bytes_per_series(model: Model, series: int) -> float:
    """Learned arrays, a series."""
    return sum(array.nbytes for array in model.to_arrays().values()) / series


def measure_default(detector: Detector, sizes: tuple[int, ...]) -> Iterator[Rate]:
    """The default detector: fits, and ticks and memory of each number of series."""
    batch = synthetic(TRAINED_MODELS, TRAINED_ROWS)
    detector.learn(synthetic(2, 200), seed=0)  # compiles what is compiled at first use
    spent = cpu_s(lambda: detector.learn(batch, seed=0))
    yield Rate(f"training {TRAINED_MODELS} {detector.name} models of a day", spent, "s")
    for size in (1, *sizes):
        batch, tick = synthetic(size, LEARNED_ROWS), synthetic(size, 3, start=LEARNED_ROWS)
        model = detector.learn(batch, seed=0)
        yield Rate(f"{detector.name}, {size} series a tick", per_minute(model, tick), "series a minute")
        yield Rate(
            f"{detector.name}, {size} series, learned", bytes_per_series(model, size), "bytes a series"
        )


def measure_network(sizes: tuple[int, ...]) -> Iterator[Rate]:
    """The recurrent autoencoder, float and eight bits side by side. Nothing where torch is absent.

    It is learned from a hundred series; larger numbers repeat what is known of them, so the network is the
    same.
    """
    if "lstm_autoencoder" not in DEEP:
        return
    detector: Any = DETECTORS["lstm_autoencoder"]
    batch = synthetic(LEARNED_SERIES, NETWORK_ROWS)
    learned = detector.learn(batch, seed=0)
    small = learned.quantised()
    for size in sizes:
        tick = synthetic(size, learned.context + 1, start=NETWORK_ROWS)
        for name, model in (("float", learned), ("int8", small)):
            rate = per_minute(repeated(model, size, LEARNED_SERIES), tick)
            yield Rate(f"lstm_autoencoder {name}, {size} series a tick", rate, "series a minute")
    errors = np.abs(small.score(batch).score - learned.score(batch).score)
    yield Rate("lstm_autoencoder int8 against float", float(errors.mean()), "mean difference of scores")
