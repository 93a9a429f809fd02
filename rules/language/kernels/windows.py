"""One number for each window of samples. In: flat values and bounds `[low, high)`, shape (w,). Out: (w,).

Sums are compensated (Kahan, in Neumaier's form), as Prometheus's are, so that results agree in all digits.
Empty windows give zero or NaN; the caller knows them by `low == high`.
"""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Floats, Ints
from rules.language.kernels.compiler import kernel


@kernel
def add_compensated(total: float, lost: float, value: float) -> tuple[float, float]:
    """`total + value`, and what rounding lost so far."""
    grown = total + value
    if np.isinf(grown):
        return grown, 0.0
    if abs(total) >= abs(value):
        return grown, lost + ((total - grown) + value)
    return grown, lost + ((value - grown) + total)


@kernel
def sums(values: Floats, low: Ints, high: Ints) -> Floats:
    """The sum of each window."""
    out = np.empty(len(low))
    for w in range(len(low)):
        total, lost = 0.0, 0.0
        for at in range(low[w], high[w]):
            total, lost = add_compensated(total, lost, values[at])
        out[w] = total if np.isinf(total) else total + lost
    return out


@kernel
def means(values: Floats, low: Ints, high: Ints) -> Floats:
    """The mean of each window; where the sum overflows, the running mean."""
    out = np.empty(len(low))
    for w in range(len(low)):
        total, lost, mean, running = 0.0, 0.0, 0.0, False
        for at in range(low[w], high[w]):
            count = at - low[w] + 1.0
            if not running:
                grown, rest = add_compensated(total, lost, values[at])
                if count == 1.0 or not np.isinf(grown):
                    total, lost = grown, rest
                    continue
                running, mean = True, total / (count - 1.0)
                lost /= count - 1.0
            share = (count - 1.0) / count
            mean, lost = add_compensated(share * mean, share * lost, values[at] / count)
        count = float(high[w] - low[w])
        if count == 0.0:
            out[w] = np.nan
        else:
            out[w] = mean + lost if running else total / count + lost / count
    return out


@kernel
def variances(values: Floats, low: Ints, high: Ints) -> Floats:
    """The population variance of each window."""
    out = np.empty(len(low))
    for w in range(len(low)):
        mean, mean_lost, squares, squares_lost = 0.0, 0.0, 0.0, 0.0
        for at in range(low[w], high[w]):
            delta = values[at] - (mean + mean_lost)
            mean, mean_lost = add_compensated(mean, mean_lost, delta / (at - low[w] + 1.0))
            squares, squares_lost = add_compensated(
                squares, squares_lost, delta * (values[at] - (mean + mean_lost))
            )
        count = float(high[w] - low[w])
        out[w] = np.nan if count == 0.0 else (squares + squares_lost) / count
    return out


@kernel
def extreme_positions(values: Floats, low: Ints, high: Ints, sign: float, last: bool) -> Ints:
    """Position of the greatest `sign * value`: the first of equals, or the last. Numbers win over NaN."""
    out = np.empty(len(low), np.int64)
    for w in range(len(low)):
        best = low[w]
        for at in range(low[w], high[w]):
            held, seen = sign * values[best], sign * values[at]
            if seen > held or (last and seen == held) or np.isnan(held):
                best = at
        out[w] = best
    return out


@kernel
def quantile_of_sorted(ordered: Floats, missing: int, q: float) -> float:
    """The `q` quantile of ascending numbers that follow `missing` NaNs: NaN sorts first in Prometheus."""
    count = len(ordered)
    if count == 0 or np.isnan(q):
        return np.nan
    if q < 0 or q > 1:
        return -np.inf if q < 0 else np.inf
    rank = q * (count - 1)
    below = int(max(0.0, np.floor(rank)))
    above = min(count - 1, below + 1)
    weight = rank - np.floor(rank)
    left = np.nan if below < missing else ordered[below - missing]
    right = np.nan if above < missing else ordered[above - missing]
    return float(left * (1 - weight) + right * weight)


@kernel
def quantiles(values: Floats, low: Ints, high: Ints, q: Floats) -> Floats:
    """The `q[w]` quantile of each window."""
    out = np.empty(len(low))
    for w in range(len(low)):
        ordered = np.sort(values[low[w] : high[w]])  # NaN last
        out[w] = quantile_of_sorted(ordered, np.sum(np.isnan(ordered)), q[w])
    return out


@kernel
def median_deviations(values: Floats, low: Ints, high: Ints) -> Floats:
    """The median distance from the median of each window; NaN if any value is."""
    out = np.empty(len(low))
    for w in range(len(low)):
        window = values[low[w] : high[w]]
        if len(window) == 0 or np.any(np.isnan(window)):
            out[w] = np.nan
            continue
        median = quantile_of_sorted(np.sort(window), 0, 0.5)
        out[w] = quantile_of_sorted(np.sort(np.abs(window - median)), 0, 0.5)
    return out


@kernel
def count_turns(values: Floats, low: Ints, high: Ints, only_falls: bool) -> Floats:
    """How often the value changed from one sample to the next, or how often it fell."""
    out = np.empty(len(low))
    for w in range(len(low)):
        turns = 0
        for at in range(low[w] + 1, high[w]):
            before, now = values[at - 1], values[at]
            if only_falls:
                turns += now < before
            else:
                turns += now != before and not (np.isnan(now) and np.isnan(before))
        out[w] = turns
    return out


@kernel
def increases(values: Floats, low: Ints, high: Ints, is_counter: bool) -> Floats:
    """Last value less first; of a counter also what it had reached before each reset."""
    out = np.zeros(len(low))
    for w in range(len(low)):
        if high[w] - low[w] < 2:
            continue
        grown = values[high[w] - 1] - values[low[w]]
        if is_counter:
            for at in range(low[w] + 1, high[w]):
                if values[at] < values[at - 1]:
                    grown += values[at - 1]
        out[w] = grown
    return out


@kernel
def regressions(times: Ints, values: Floats, low: Ints, high: Ints, zero_ms: Ints) -> tuple[Floats, Floats]:
    """Slope per second, and value at `zero_ms[w]`, of the least-squares line through each window."""
    slopes = np.full(len(low), np.nan)
    intercepts = np.full(len(low), np.nan)
    for w in range(len(low)):
        count = float(high[w] - low[w])
        if count < 2:
            continue
        x_sum, x_lost, y_sum, y_lost = 0.0, 0.0, 0.0, 0.0
        xy_sum, xy_lost, xx_sum, xx_lost = 0.0, 0.0, 0.0, 0.0
        constant = True
        for at in range(low[w], high[w]):
            x, y = (times[at] - zero_ms[w]) / 1000.0, values[at]
            constant = constant and y == values[low[w]]
            x_sum, x_lost = add_compensated(x_sum, x_lost, x)
            y_sum, y_lost = add_compensated(y_sum, y_lost, y)
            xy_sum, xy_lost = add_compensated(xy_sum, xy_lost, x * y)
            xx_sum, xx_lost = add_compensated(xx_sum, xx_lost, x * x)
        if constant:
            if not np.isinf(values[low[w]]):
                slopes[w], intercepts[w] = 0.0, values[low[w]]
            continue
        x_sum += x_lost
        y_sum += y_lost
        covariance = (xy_sum + xy_lost) - x_sum * y_sum / count
        slopes[w] = covariance / ((xx_sum + xx_lost) - x_sum * x_sum / count)
        intercepts[w] = y_sum / count - slopes[w] * x_sum / count
    return slopes, intercepts


@kernel
def smoothings(values: Floats, low: Ints, high: Ints, level: Floats, trend: Floats) -> Floats:
    """Double exponential smoothing (Holt 1957) of each window, `level[w]` and `trend[w]` as factors."""
    out = np.full(len(low), np.nan)
    for w in range(len(low)):
        if high[w] - low[w] < 2:
            continue
        before, now = 0.0, values[low[w]]
        slope = values[low[w] + 1] - now
        for at in range(low[w] + 1, high[w]):
            if at > low[w] + 1:
                slope = trend[w] * (now - before) + (1 - trend[w]) * slope
            before, now = now, level[w] * values[at] + (1 - level[w]) * (now + slope)
        out[w] = now
    return out
