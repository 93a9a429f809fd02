"""Where windows lie. In: samples of many series in one flat run. Out: positions in it, as `[low, high)`."""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Floats, Ints
from rules.language.kernels.compiler import kernel


@kernel
def first_after(times: Ints, start: int, stop: int, moment: int) -> int:
    """Position of the first sample in `[start, stop)` that is later than `moment`; `stop` if none is."""
    while start < stop:
        middle = (start + stop) // 2
        if times[middle] > moment:
            stop = middle
        else:
            start = middle + 1
    return start


@kernel
def window_extents(
    starts: Ints, stops: Ints, times: Ints, ends_ms: Ints, window_ms: int
) -> tuple[Ints, Ints]:
    """Shape (n, t) each: samples `low[i, j] … high[i, j]` of series i lie in `(ends[j] - window, ends[j]]`.

    `starts` and `stops`, shape (n,), bound each series in `times`; `ends_ms`, shape (t,), ascends.
    """
    low = np.empty((len(starts), len(ends_ms)), np.int64)
    high = np.empty((len(starts), len(ends_ms)), np.int64)
    for i in range(len(starts)):
        stop = stops[i]
        first = last = starts[i]
        for j in range(len(ends_ms)):
            end = ends_ms[j]
            if j == 0:  # far into the samples, perhaps; from there on the next one is near
                first = first_after(times, first, stop, end - window_ms)
                last = first_after(times, first, stop, end)
            while first < stop and times[first] <= end - window_ms:
                first += 1
            last = max(last, first)
            while last < stop and times[last] <= end:
                last += 1
            low[i, j] = first
            high[i, j] = last
    return low, high


@kernel
def latest_positions(starts: Ints, stops: Ints, times: Ints, ends_ms: Ints, lookback_ms: int) -> Ints:
    """Shape (n, t): position of the newest sample in `(ends[j] - lookback, ends[j]]`, or -1."""
    found = np.empty((len(starts), len(ends_ms)), np.int64)
    for i in range(len(starts)):
        stop = stops[i]
        at = starts[i] - 1
        for j in range(len(ends_ms)):
            end = ends_ms[j]
            if j == 0:
                at = first_after(times, starts[i], stop, end) - 1
            while at + 1 < stop and times[at + 1] <= end:
                at += 1
            fresh = at >= starts[i] and times[at] > end - lookback_ms
            found[i, j] = at if fresh else -1
    return found


@kernel
def smoothed_values(
    windows: tuple[Ints, Ints], times: Ints, values: Floats, ends_ms: Ints
) -> tuple[Floats, Ints]:
    """Values at `ends_ms` on the straight line between the samples around them; 1 where there is one.

    A window reaches to both sides of its end. With samples on the left only, the last one counts.
    """
    low, high = windows
    line = np.zeros(low.shape)
    known = np.zeros(low.shape, np.int64)
    for i in range(low.shape[0]):
        for j in range(low.shape[1]):
            end = ends_ms[j]
            at = low[i, j]
            while at < high[i, j] and times[at] < end:
                at += 1
            if at < high[i, j] and times[at] == end:
                line[i, j] = values[at]
            elif at == low[i, j]:
                continue
            elif at == high[i, j]:
                line[i, j] = values[at - 1]
            else:
                slope = (values[at] - values[at - 1]) / (times[at] - times[at - 1])
                line[i, j] = values[at - 1] + slope * (end - times[at - 1])
            known[i, j] = 1
    return line, known
