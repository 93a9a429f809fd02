"""Service levels: how much of an error budget is spent, how fast, and what remains.

In: when things were bad, as intervals, or how good they were, as a ratio sampled over time. Out: a
`ServiceLevel`. The budget is the share of the window that may be bad: one minus the objective. The burn rate
is the speed of spending, one being the speed that uses up the budget exactly at the end of the window; as in
Beyer, Murphy, Rensin, Kawahara and Thorne (2018), The Site Reliability Workbook, chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from alertsite.core.clock import to_datetime
from alertsite.core.samples import Floats, Ints
from rules.reports.facts import ServiceLevel

POINTS: Final = 60
"""Of the plot."""
BURN_WINDOWS_S: Final = (3600.0, 6 * 3600.0, 86_400.0, 3 * 86_400.0)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is promised over a window that ends at `end_ms`."""

    name: str
    source: str
    objective: float
    start_ms: int
    end_ms: int

    @property
    def window_s(self) -> float:
        """How long it is promised for."""
        return (self.end_ms - self.start_ms) / 1000


def unmeasured(promise: Objective, why: str) -> ServiceLevel:
    """A level of which nothing is known, and the reason."""
    return ServiceLevel(promise.name, promise.source, promise.objective, promise.window_s, unmeasured=why)


def level_of_intervals(promise: Objective, bad: Sequence[tuple[int, int]]) -> ServiceLevel:
    """The level where time is bad in these intervals, in milliseconds; where they overlap it counts once."""
    times, spent = [promise.start_ms], [0.0]
    for start_ms, end_ms in _union(bad, promise):
        times += [start_ms, end_ms]
        spent += [spent[-1], spent[-1] + (end_ms - start_ms) / 1000]
    times.append(promise.end_ms)
    spent.append(spent[-1])
    return _level(promise, np.array(times, np.int64), np.array(spent))


def level_of_ratio(promise: Objective, times_ms: Ints, good: Floats) -> ServiceLevel:
    """The level of a ratio of what was good, 0 to 1.

    Parameters
    ----------
    times_ms, good
        Shape (t,), evenly spaced over the window. NaN where nothing was measured: the rest speaks for it.
    """
    measured = np.isfinite(good)
    if not measured.any():
        return unmeasured(promise, "the expression has no value in the window")
    share = np.where(measured, 1 - np.clip(good, 0, 1), 0.0) / measured.sum()
    spent = np.concatenate([[0.0], np.cumsum(share)]) * promise.window_s
    return _level(promise, np.concatenate([[promise.start_ms], times_ms]), spent)


def _union(bad: Sequence[tuple[int, int]], promise: Objective) -> list[tuple[int, int]]:
    """The intervals within the window, in order, without overlaps."""
    merged: list[tuple[int, int]] = []
    for began_ms, ended_ms in sorted(bad):
        start_ms, end_ms = max(began_ms, promise.start_ms), min(ended_ms, promise.end_ms)
        if merged and start_ms <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end_ms)
        elif start_ms < end_ms:
            merged.append((start_ms, end_ms))
    return merged


def _level(promise: Objective, times_ms: Ints, spent_s: Floats) -> ServiceLevel:
    """From the bad seconds up to each moment; between moments they grow evenly."""
    budget_s = (1 - promise.objective) * promise.window_s
    grid = np.linspace(promise.start_ms, promise.end_ms, POINTS + 1)
    left = 1 - np.interp(grid, times_ms, spent_s) / budget_s
    return ServiceLevel(
        promise.name,
        promise.source,
        promise.objective,
        promise.window_s,
        bad=float(spent_s[-1]) / promise.window_s,
        burns=[
            (window_s, _burn(promise, times_ms, spent_s, window_s))
            for window_s in BURN_WINDOWS_S
            if window_s <= promise.window_s
        ],
        remaining=[
            (to_datetime(int(at_ms)).isoformat(), float(share))
            for at_ms, share in zip(grid, left, strict=True)
        ],
    )


def _burn(promise: Objective, times_ms: Ints, spent_s: Floats, window_s: float) -> float:
    since_ms = promise.end_ms - timedelta(seconds=window_s) // timedelta(milliseconds=1)
    spent = float(spent_s[-1] - np.interp(since_ms, times_ms, spent_s))
    return spent / window_s / (1 - promise.objective)
