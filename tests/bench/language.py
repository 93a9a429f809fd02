"""What a tick costs in the engine alone: `python -m tests.bench.language [W1 …]`, a JSON object a line.

The workloads of the architecture's table over a columnar store in memory: a read costs nothing, so what is
measured is planning, binding, evaluation and results.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Sequence

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, label_set
from alertsite.core.samples import Columns, Ints
from rules.language.fusion import ShardPlan
from rules.language.plan import plan
from rules.language.warmup import compile_kernels

SAMPLES, SPACING_MS = 20, 15_000
WORKLOADS = {
    "W1": (10_000, 1, "metric_{0}{{job='j0'}} > {1}"),
    "W2": (1_000, 100, "avg_over_time(metric_{0}[5m]) > {1}"),
    "W3": (1_000, 10, "sum by (job) (rate(metric_{0}[5m])) > {1}"),
    "W4": (100_000, 1, "metric_{0}{{job='j0'}} > {1}"),
    "W5": (1, 100_000, "metric_{0} > {1}"),
}


class Store:
    """Series of one length, by metric name."""

    def __init__(self, metrics: int, series: int) -> None:
        names = [f"metric_{metric}" for metric in range(metrics)]
        self._labels = [
            label_set({METRIC_NAME: name, "job": f"j{one % 3}", "instance": f"i{one}"})
            for name in names
            for one in range(series)
        ]
        self._by_name = {
            name: np.arange(at * series, (at + 1) * series, dtype=np.int64) for at, name in enumerate(names)
        }
        count = metrics * series
        values = np.random.default_rng(1).random((count, SAMPLES)).cumsum(axis=1).ravel()
        times = np.tile(np.arange(SAMPLES, dtype=np.int64) * SPACING_MS, count)
        self._columns = Columns(np.arange(count + 1, dtype=np.int64) * SAMPLES, times, values)

    def generation(self) -> int:
        return 1

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        if not matchers:
            return np.arange(len(self._labels), dtype=np.int64)
        return self._by_name[matchers[0].value]

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        return [self._labels[number] for number in numbers.tolist()]

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        assert len(numbers) == len(self._labels)
        return self._columns


def measure(work: str) -> dict[str, object]:
    """CPU of planning, of the first tick and of the ticks that follow; bytes that a rule keeps."""
    rules, series, expression = WORKLOADS[work]
    store = Store(rules, series)
    texts = [expression.format(rule, rule % 40) for rule in range(rules)]
    at_ms = SAMPLES * SPACING_MS
    gc.collect()
    begun = time.process_time()
    shard = ShardPlan([plan(text) for text in texts])
    planned = time.process_time()
    elements = len(shard.evaluate(store, at_ms).rule)
    bound = time.process_time()
    ticks = []
    for _ in range(7):
        tick = time.process_time()
        shard.evaluate(store, at_ms)
        ticks.append(time.process_time() - tick)
    return {
        "work": work,
        "plan_cpu_s": round(planned - begun, 3),
        "first_tick_cpu_ms": round((bound - planned) * 1e3, 1),
        "cpu_ms_per_tick": round(min(ticks) * 1e3, 2),
        "us_per_rule": round(min(ticks) / rules * 1e6, 3),
        "elements": elements,
        "bytes_per_rule": memory(texts, store, at_ms),
    }


def memory(texts: Sequence[str], store: Store, at_ms: int) -> int:
    """Bytes that a rule of a shard keeps from tick to tick, its plan given up."""
    gc.collect()
    tracemalloc.start()
    shard = ShardPlan([plan(text) for text in texts])
    shard.evaluate(store, at_ms)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept // len(texts)


if __name__ == "__main__":
    compile_kernels()
    for name in sys.argv[1:] or WORKLOADS:
        sys.stdout.write(json.dumps(measure(name)) + "\n")
