"""Windows with `anchored` and `smoothed` edges: values there are taken or drawn from samples beyond them.

In: windows that hold samples from a lookback before (and for `smoothed` after) the window as well.
Semantics of Prometheus's extended range selectors: an anchored edge takes the last sample at or before it, a
smoothed edge the straight line between the samples around it.
"""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints
from rules.language.frames import Windows
from rules.language.kernels.arrays import plain
from rules.language.kernels.compiler import kernel


def extended_increase(windows: Windows, *, is_counter: bool, is_rate: bool) -> tuple[Floats, Bools]:
    """Growth from edge to edge, per second for a rate; without extrapolation."""
    samples = windows.samples
    ends = plain(windows.ends_ms)
    growth, present = _increases(
        (samples.times_ms, samples.values),
        (windows.low, windows.high),
        ends - windows.window_ms,
        ends,
        (windows.extension == "smoothed", is_counter),
    )
    return growth / (windows.window_ms / 1000) if is_rate else growth, present


def anchored_turns(windows: Windows) -> tuple[Ints, Bools]:
    """Where to begin counting changes: at the last sample at or before the edge. And whether any follows."""
    starts = plain(windows.ends_ms) - windows.window_ms
    return _last_before(windows.samples.times_ms, windows.low, windows.high, starts)


def extended_samples(windows: Windows, row: int) -> tuple[Ints, Floats]:
    """Times and values of a row's first window, with samples put at both edges; none if all lie before it."""
    samples = windows.samples
    end = int(windows.ends_ms[0])
    start = end - windows.window_ms
    smoothed = windows.extension == "smoothed"
    low, high = int(windows.low[row, 0]), int(windows.high[row, 0])
    first, last = _edges(samples.times_ms, low, high, (start, end), smoothed)
    if first > last:
        return np.empty(0, np.int64), np.empty(0)
    times, values = samples.times_ms, samples.values
    left, right = values[first], values[last]
    if smoothed and times[first] < start:
        left = _on_line(times, values, first, start, False)
    if smoothed and last > low and times[last] > end:
        right = _on_line(times, values, last - 1, end, False)
    inner = slice(first + int(times[first] <= start), last + 1 - int(times[last] >= end))
    return (
        np.concatenate([[start], times[inner], [end]]).astype(np.int64),
        np.concatenate([[left], values[inner], [right]]),
    )


@kernel
def _last_before(times: Ints, low: Ints, high: Ints, edges: Ints) -> tuple[Ints, Bools]:
    begin = low.copy()
    present = np.zeros(low.shape, np.bool_)
    for i in range(low.shape[0]):
        for j in range(low.shape[1]):
            at = low[i, j]
            while at + 1 < high[i, j] and times[at + 1] <= edges[j]:
                at += 1
            begin[i, j] = at
            present[i, j] = at < high[i, j] and times[high[i, j] - 1] > edges[j]
    return begin, present


@kernel
def _on_line(times: Ints, values: Floats, at: int, edge: int, is_counter: bool) -> float:
    """The value at `edge` between samples `at` and `at + 1`; over a reset the counter starts from zero."""
    from_value, to_value = values[at], values[at + 1]
    if is_counter and to_value < from_value:
        from_value = 0.0
    share = (edge - times[at]) / (times[at + 1] - times[at])
    return float(from_value + (to_value - from_value) * share)


@kernel
def _edges(times: Ints, low: int, high: int, bounds: tuple[int, int], smoothed: bool) -> tuple[int, int]:
    """First and last sample that matter to a window from `bounds[0]` to `bounds[1]`; (1, 0) if none does."""
    start, end = bounds
    first, last = low, high - 1
    while first + 1 <= last and times[first + 1] <= start:
        first += 1
    if smoothed:
        at = low
        while at < last and times[at] < end:
            at += 1
        last = at
    if high <= low or times[last] <= start or (smoothed and times[first] > end):
        return 1, 0
    return first, last


@kernel
def _lost_in_resets(values: Floats, inner: tuple[int, int], left: float, right: float) -> float:
    """What a counter had reached before each reset, from `left` through samples `inner` to `right`."""
    lost, before = 0.0, left
    for at in range(inner[0], inner[1] + 1):
        if values[at] < before:
            lost += before
        before = values[at]
    if right < before:
        lost += before
    return lost


@kernel
def _increases(
    series: tuple[Ints, Floats],
    windows: tuple[Ints, Ints],
    starts: Ints,
    ends: Ints,
    modes: tuple[bool, bool],
) -> tuple[Floats, Bools]:
    times, values = series
    low, high = windows
    smoothed, is_counter = modes
    growth = np.zeros(low.shape)
    present = np.zeros(low.shape, np.bool_)
    for i in range(low.shape[0]):
        for j in range(low.shape[1]):
            first, last = _edges(times, low[i, j], high[i, j], (starts[j], ends[j]), smoothed)
            if first > last:
                continue
            left, right = values[first], values[last]
            if smoothed and times[first] < starts[j]:
                left = _on_line(times, values, first, starts[j], is_counter)
            if smoothed and last > low[i, j] and times[last] > ends[j]:
                right = _on_line(times, values, last - 1, ends[j], is_counter)
            growth[i, j] = right - left
            present[i, j] = True
            if is_counter:
                inner = (first + (times[first] <= starts[j]), last - (times[last] >= ends[j]))
                growth[i, j] += _lost_in_resets(values, inner, left, right)
    return growth, present
