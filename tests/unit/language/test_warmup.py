"""After the warm-up nothing is left to compile."""

from __future__ import annotations

from types import ModuleType

import pytest
from numba.core.dispatcher import Dispatcher

from rules.language.engine import QueryRange, evaluate_instant, evaluate_range
from rules.language.functions import extended, histograms
from rules.language.kernels import extents, groups, windows
from rules.language.plan import plan
from rules.language.warmup import compile_kernels
from tests.unit.language.store import store_of

MODULES = (extents, groups, windows, extended, histograms)


def compiled(modules: tuple[ModuleType, ...] = MODULES) -> dict[str, int]:
    return {
        f"{module.__name__}.{name}": len(kernel.signatures)
        for module in modules
        for name, kernel in vars(module).items()
        if isinstance(kernel, Dispatcher)
    }


@pytest.fixture(scope="module")
def warm() -> dict[str, int]:
    compile_kernels()
    return compiled()


@pytest.mark.parametrize(
    "expression",
    [
        "sum(vector(1))",
        "avg by (a) (m * scalar(m))",
        "quantile(scalar(m), -m)",
        "sum_over_time(vector(time())[5m:1m])",
        "histogram_quantile(scalar(m), m or vector(2))",
        "predict_linear(m[5m], 60) + topk(1, m @ 60)",
    ],
)
def test_nothing_is_compiled_later(warm, expression):
    assert sum(warm.values()) > 20
    store = store_of({'m{a="x", le="+Inf"}': "1+1x10"})
    evaluate_instant(plan(expression), store, 300_000)
    evaluate_range(plan(expression), store, QueryRange(0, 300_000, 60_000))
    assert compiled() == warm
