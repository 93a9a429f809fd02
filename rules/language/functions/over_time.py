"""Functions of windows: `rate` and its family, `*_over_time`, regressions.

In: `Windows`, and scalars of shape (b, t). Out: values and presence, shape (n, t), for the rows of the
windows. A window without enough samples has no element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints
from rules.language.frames import Run, Windows
from rules.language.functions.extended import anchored_turns, extended_increase
from rules.language.kernels import windows as kernels
from rules.language.kernels.arrays import plain

Computed: TypeAlias = tuple[Floats, Bools]
WindowFunction: TypeAlias = Callable[[Windows, list[Floats], Run], Computed]

_EXTRAPOLATION_REACH = 1.1
"""Of the mean spacing of samples: how far from the window's edge a sample may lie and count as there."""


def _first(windows: Windows) -> Ints:
    return np.minimum(windows.low, max(len(windows.samples.values) - 1, 0))


def _last(windows: Windows) -> Ints:
    return np.maximum(windows.high - 1, 0)


def _gather(source: Floats | Ints, positions: Ints) -> Floats:
    if len(source) == 0:
        return np.zeros(positions.shape)
    gathered: Floats = source[positions].astype(np.float64, copy=False)
    return gathered


def _reduced(kernel: Callable[[Floats, Ints, Ints], Floats]) -> WindowFunction:
    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        low, high = windows.low.ravel(), windows.high.ravel()
        values = kernel(windows.samples.values, low, high)
        return values.reshape(windows.low.shape), windows.counts > 0

    return function


def _extreme(sign: float, *, time: bool) -> WindowFunction:
    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        """The extreme sample of each window."""
        present = windows.counts > 0
        samples = windows.samples
        at = kernels.extreme_positions(
            samples.values, windows.low.ravel(), windows.high.ravel(), sign, time
        ).reshape(windows.low.shape)
        at = np.where(present, at, 0)
        return (_gather(samples.times_ms, at) / 1000 if time else _gather(samples.values, at)), present

    return function


def _edge(edge: Callable[[Windows], Ints], *, time: bool) -> WindowFunction:
    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        source = windows.samples.times_ms if time else windows.samples.values
        values = _gather(source, edge(windows))
        return (values / 1000 if time else values), windows.counts > 0

    return function


def _count(windows: Windows, _: list[Floats], __: Run) -> Computed:
    return windows.counts.astype(np.float64), windows.counts > 0


def _ones(windows: Windows, _: list[Floats], __: Run) -> Computed:
    return np.ones(windows.low.shape), windows.counts > 0


def _extrapolated(*, is_counter: bool, is_rate: bool) -> WindowFunction:
    """`rate`, `increase`, `delta`: the growth inside the window, stretched to the window's edges.

    As Prometheus does: all the way to an edge that the samples nearly reach, else by half their spacing; and
    never to before a counter was zero.
    """

    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        """The growth of each window."""
        if windows.extension:
            return extended_increase(windows, is_counter=is_counter, is_rate=is_rate)
        samples, counts = windows.samples, windows.counts
        low, high = windows.low.ravel(), windows.high.ravel()
        growth = kernels.increases(samples.values, low, high, is_counter).reshape(counts.shape)
        first = _first(windows)
        begun = _gather(samples.times_ms, first)
        ended = _gather(samples.times_ms, _last(windows))
        sampled = (ended - begun) / 1000
        spacing = sampled / np.maximum(counts - 1, 1)
        to_start = (begun - (windows.ends_ms - windows.window_ms)) / 1000
        to_end = (windows.ends_ms - ended) / 1000
        near = spacing * _EXTRAPOLATION_REACH
        if is_counter:
            start_value = _gather(samples.values, first)
            to_zero = np.where((growth > 0) & (start_value >= 0), sampled * (start_value / growth), np.inf)
            to_start = np.minimum(to_start, to_zero)
        to_start = np.where(to_start >= near, spacing / 2, to_start)
        to_end = np.where(to_end >= near, spacing / 2, to_end)
        factor = np.where(sampled != 0, (sampled + to_start + to_end) / sampled, 1.0)
        if is_rate:
            factor = factor / (windows.window_ms / 1000)
        return growth * factor, counts > 1

    return function


def _between_last_two(*, is_rate: bool) -> WindowFunction:
    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        """The growth between the last two samples of each window."""
        samples, present = windows.samples, windows.counts > 1
        last = _last(windows)
        before = np.maximum(last - 1, 0)
        now_value, then_value = _gather(samples.values, last), _gather(samples.values, before)
        grown = now_value - then_value
        if is_rate:
            grown = np.where(now_value < then_value, now_value, grown)
            grown = grown / ((_gather(samples.times_ms, last) - _gather(samples.times_ms, before)) / 1000)
        return grown, present

    return function


def _turns(*, only_falls: bool) -> WindowFunction:
    def function(windows: Windows, _: list[Floats], __: Run) -> Computed:
        """How often each window changes."""
        low, present = windows.low, windows.counts > 0
        if windows.extension:
            low, present = anchored_turns(windows)
        turns = kernels.count_turns(windows.samples.values, low.ravel(), windows.high.ravel(), only_falls)
        return turns.reshape(low.shape), present

    return function


def _deviation(windows: Windows, _: list[Floats], __: Run) -> Computed:
    low, high = windows.low.ravel(), windows.high.ravel()
    variance = kernels.variances(windows.samples.values, low, high)
    return np.sqrt(variance).reshape(windows.low.shape), windows.counts > 0


def _of_rows(scalar: Floats, windows: Windows) -> Floats:
    """A scalar for each window: shape (n * t,)."""
    return plain(scalar[windows.samples.rows.owners]).ravel()


def _quantile(windows: Windows, scalars: list[Floats], run: Run) -> Computed:
    q = scalars[0]
    if windows.counts.any():
        for wrong in np.unique(q[~((q >= 0) & (q <= 1))]).tolist():
            run.notes.warn(f"quantile value should be between 0 and 1, got {wrong:g}")
    values = kernels.quantiles(
        windows.samples.values, windows.low.ravel(), windows.high.ravel(), _of_rows(q, windows)
    )
    return values.reshape(windows.low.shape), windows.counts > 0


def _regression(windows: Windows, zero_ms: Ints) -> tuple[Floats, Floats]:
    samples = windows.samples
    slopes, intercepts = kernels.regressions(
        samples.times_ms, samples.values, windows.low.ravel(), windows.high.ravel(), zero_ms.ravel()
    )
    return slopes.reshape(windows.low.shape), intercepts.reshape(windows.low.shape)


def _deriv(windows: Windows, _: list[Floats], __: Run) -> Computed:
    first = _gather(windows.samples.times_ms, _first(windows)).astype(np.int64)
    return _regression(windows, first)[0], windows.counts > 1


def predict_linear(windows: Windows, ahead_s: Floats, times_ms: Ints) -> Computed:
    """Where the regression line is `ahead_s`, shape (b, t), after the evaluation time."""
    now = np.broadcast_to(times_ms, windows.low.shape)
    slopes, intercepts = _regression(windows, plain(now))
    return slopes * ahead_s[windows.samples.rows.owners] + intercepts, windows.counts > 1


def _double_exponential(windows: Windows, scalars: list[Floats], run: Run) -> Computed:
    for name, factor in zip(("smoothing", "trend"), scalars, strict=True):
        wrong = ~((factor > 0) & (factor < 1))
        for owner in np.flatnonzero(wrong.any(axis=1)).tolist():
            value = factor[owner][wrong[owner]][0]
            run.fail(owner, f"invalid {name} factor. Expected: 0 < {name[0]}f < 1, got: {value:f}")
    level, trend = (_of_rows(factor, windows) for factor in scalars)
    values = kernels.smoothings(
        windows.samples.values, windows.low.ravel(), windows.high.ravel(), level, trend
    )
    return values.reshape(windows.low.shape), windows.counts > 1


WINDOW_FUNCTIONS: dict[str, WindowFunction] = {
    "avg_over_time": _reduced(kernels.means),
    "changes": _turns(only_falls=False),
    "count_over_time": _count,
    "delta": _extrapolated(is_counter=False, is_rate=False),
    "deriv": _deriv,
    "double_exponential_smoothing": _double_exponential,
    "first_over_time": _edge(_first, time=False),
    "idelta": _between_last_two(is_rate=False),
    "increase": _extrapolated(is_counter=True, is_rate=False),
    "irate": _between_last_two(is_rate=True),
    "last_over_time": _edge(_last, time=False),
    "mad_over_time": _reduced(kernels.median_deviations),
    "max_over_time": _extreme(1.0, time=False),
    "min_over_time": _extreme(-1.0, time=False),
    "present_over_time": _ones,
    "quantile_over_time": _quantile,
    "rate": _extrapolated(is_counter=True, is_rate=True),
    "resets": _turns(only_falls=True),
    "stddev_over_time": _deviation,
    "stdvar_over_time": _reduced(kernels.variances),
    "sum_over_time": _reduced(kernels.sums),
    "ts_of_first_over_time": _edge(_first, time=True),
    "ts_of_last_over_time": _edge(_last, time=True),
    "ts_of_max_over_time": _extreme(1.0, time=True),
    "ts_of_min_over_time": _extreme(-1.0, time=True),
}
KEEPS_NAME = frozenset({"first_over_time", "last_over_time"})
"""Functions whose result still is the metric."""
COUNTER_FUNCTIONS = frozenset({"rate", "increase"})
COUNTER_SUFFIXES = ("_total", "_sum", "_count", "_bucket")
