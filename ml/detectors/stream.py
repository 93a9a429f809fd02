"""What one pass over a series can tell of each value: residuals, ranks, seasons and bursts, in constant
memory.

In: values on the scale of ordinary time, oldest first. Out: `FEATURES` of each value, and the value that
was expected. The state of a series is one row of `STATE` float32, so that a batch is the same arithmetic
as one value at a time. Refused: nothing; a missing value leaves the state and has no features.

Every mean is exponentially weighted; values far outside move it only a few scales, so that a burst
teaches little.
"""

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np
import numpy.typing as npt

from alertsite.core.samples import Floats

Floats32 = npt.NDArray[np.float32]

WINDOW: Final = 61
BINS: Final = 72
"""Parts of the day that the season has."""
_HALF_LIVES: Final = np.array([3.0, 12.0, 60.0, 360.0])
_GAINS: Final = 1.0 - 0.5 ** (1.0 / _HALF_LIVES)
TINY: Final = 1e-3
"""Scales are never smaller: values come in units of ordinary deviation."""
HELD_SHARE: Final = 0.8
"""What a row after a strange one keeps of its distance from the season."""
FINE: Final = 1e-4
"""The same of scales of bends, which are small in smooth series."""
BOUND: Final = 1e4
"""Features end here."""

FEATURES: Final = (
    *("residual_3", "residual_12", "residual_60", "residual_360"),
    *("change_1", "change_3", "change_4", "curvature", "restlessness"),
    *("from_median", "from_median_global", "above_window", "below_window", "window_spread", "window_range"),
    *("from_level", "above_all", "below_all", "change_scale"),
    *("seasonal", "seasonal_levelled", "seasonal_by_hour", "seasonal_3", "seasonal_12", "seasonal_60"),
    *("seasonal_change", "season_spread", "season_share"),
    *("burst_residual_5", "burst_residual_23", "burst_seasonal_5", "burst_seasonal_23"),
    *("extremes_5", "extremes_60", "flat_run", "flat_share", "bend", "seasonal_240"),
    *("is_zero", "points_a_day"),
    *("from_season", "held_from_season"),
)
"""Names of the columns. The numbers are half-lives or lags in points."""
COUNT: Final = len(FEATURES)
OF_VALUE: Final = FEATURES.index("is_zero")
"""This column and the next are told by the value and the spacing alone; `run` leaves them as they are."""
TAUGHT: Final = OF_VALUE + 2
"""Columns that trees learn from; those behind them are of later days."""

# Where a state keeps what: counts, four means and scales, changes, level, season, bursts; then arrays.
_N, _MEANS, _SCALES = 0, 1, 5
_LAST, _CHANGE, _FAST = 9, 13, 14
_LEVEL, _SPREAD, _HIGH, _LOW = 15, 16, 17, 18
_OFFSET, _SEASONAL, _PLAIN, _S3, _S12, _S60, _BEFORE = 19, 20, 21, 22, 23, 24, 25
_BURSTS, _EXTREMES, _FLAT, _FLAT_SHARE = 26, 30, 32, 33
_HELD, _NEXT = 34, 35
_BEND, _S240, _SLOW, _FROM_SEASON = 36, 37, 38, 39
_RING = 40
_SORTED = _RING + WINDOW
_PROFILE = _SORTED + WINDOW + 1
_PROFILE_SPREAD = _PROFILE + BINS
_PROFILE_COUNT = _PROFILE_SPREAD + BINS
STATE: Final = _PROFILE_COUNT + BINS
"""Numbers a series remembers."""

jit = nb.njit(cache=True)


@jit
def _bounded(value: float, bound: float) -> float:
    return min(max(value, -bound), bound)


@jit
def _residuals(state: Floats32, value: float, out: Floats) -> None:
    """Distance from four means, in their own scales."""
    warm = state[_N] > 20
    fresh = 1.0 / (state[_N] + 1.0)
    for index in range(4):
        residual = value - state[_MEANS + index]
        scale = state[_SCALES + index] + TINY
        out[index] = residual / scale
        gain = max(_GAINS[index], fresh)
        # The two fast means follow a step at once; the slow ones only as fast as ordinary values move them.
        followed = _bounded(residual, 4.0 * scale) if warm and index >= 2 else residual
        state[_MEANS + index] += gain * followed
        size = min(abs(residual), 4.0 * scale) if warm else abs(residual)
        state[_SCALES + index] += max(0.25 * _GAINS[index], fresh) * (size - state[_SCALES + index])


@jit
def _changes(state: Floats32, value: float, day: float, out: Floats) -> None:
    """Changes over 1, 3 and 4 points, and how restless the series is now."""
    fresh = 1.0 / (state[_N] + 1.0)
    change = value - state[_LAST]
    usual = state[_CHANGE] + TINY
    out[4] = change / usual
    out[5] = (value - state[_LAST + 2]) / usual
    out[6] = (value - state[_LAST + 3]) / usual
    out[7] = (change - (state[_LAST] - state[_LAST + 1])) / usual
    size = min(abs(change), 5.0 * usual) if state[_N] > 20 else abs(change)
    state[_CHANGE] += max(1.0 / day, fresh) * (size - state[_CHANGE])
    state[_FAST] += max(0.13, fresh) * (abs(change) - state[_FAST])
    out[8] = state[_FAST] / usual
    # Against its own usual size: in a smooth series a small bend says more than a large change.
    bend = change - (state[_LAST] - state[_LAST + 3]) / 3.0
    out[36] = bend / (state[_BEND] + FINE)
    state[_BEND] = _follow(state[_BEND], abs(bend), max(0.5 / day, fresh), state[_N] > 30)
    for lag in range(3, 0, -1):
        state[_LAST + lag] = state[_LAST + lag - 1]
    state[_LAST] = value


@jit
def _quantile(ordered: Floats32, count: int, share: float) -> float:
    place = share * (count - 1)
    index = int(place)
    if index >= count - 1:
        return float(ordered[count - 1])
    return float(ordered[index] + (place - index) * (ordered[index + 1] - ordered[index]))


@jit
def _window(state: Floats32, value: float, out: Floats) -> None:
    """Rank among the last values, which are kept as a ring and in order."""
    count = int(state[_HELD])
    ordered = state[_SORTED : _SORTED + WINDOW + 1]
    for index in range(9, 15):
        out[index] = 0.0
    if count >= 3:
        median = _quantile(ordered, count, 0.5)
        spread = (_quantile(ordered, count, 0.75) - _quantile(ordered, count, 0.25)) / 1.35
        local, usual = spread + 0.1 * state[_CHANGE] + TINY, state[_SPREAD] + TINY
        out[9], out[10] = (value - median) / local, (value - median) / usual
        out[11], out[12] = (value - ordered[count - 1]) / local, (ordered[0] - value) / local
        out[13], out[14] = spread / usual, (ordered[count - 1] - ordered[0]) / usual
    place = int(state[_NEXT])
    if count == WINDOW:
        _remove(ordered, count, state[_RING + place])
        count -= 1
    _insert(ordered, count, value)
    state[_RING + place] = value
    state[_HELD], state[_NEXT] = count + 1, (place + 1) % WINDOW


@jit
def _insert(ordered: Floats32, count: int, value: float) -> None:
    index = count
    while index > 0 and ordered[index - 1] > value:
        ordered[index] = ordered[index - 1]
        index -= 1
    ordered[index] = value


@jit
def _remove(ordered: Floats32, count: int, value: float) -> None:
    place = np.searchsorted(ordered[:count], value)
    for index in range(place, count - 1):
        ordered[index] = ordered[index + 1]


@jit
def _level(state: Floats32, value: float, day: float, out: Floats) -> None:
    """Distance from the long level, and beyond what was seen in the last weeks."""
    warm = state[_N] > 20
    fresh = 1.0 / (state[_N] + 1.0)
    usual = state[_SPREAD] + TINY
    distance = value - state[_LEVEL]
    out[15], out[16], out[17] = (
        distance / usual,
        (value - state[_HIGH]) / usual,
        (state[_LOW] - value) / usual,
    )
    out[18] = state[_CHANGE] / usual
    gain = max(0.1 / day, fresh)
    state[_LEVEL] += gain * (_bounded(distance, 4.0 * usual) if warm else distance)
    distance = abs(value - state[_LEVEL])
    state[_SPREAD] += gain * ((min(distance, 4.0 * usual) if warm else distance) - state[_SPREAD])
    reach = 0.3 if warm else 1.0
    state[_HIGH] += reach * max(value - state[_HIGH], 0.0)
    state[_LOW] -= reach * max(state[_LOW] - value, 0.0)
    state[_HIGH] += (state[_LEVEL] - state[_HIGH]) * 0.07 / day
    state[_LOW] += (state[_LEVEL] - state[_LOW]) * 0.07 / day


@jit
def _season(state: Floats32, value: float, place: float, day: float, out: Floats) -> float:
    """Distance from the season, with and without the level of the day. Returns the value expected, or
    NaN.
    """
    here = min(int(place), BINS - 1)
    side = place - here - 0.5
    other = (here + (1 if side > 0 else -1)) % BINS
    share = abs(side)
    expected = np.nan
    for index in range(19, 28):
        out[index] = 0.0
    out[37] = out[40] = out[41] = 0.0
    levelled = 0.0
    if state[_PROFILE_COUNT + here] > 0 and state[_PROFILE_COUNT + other] > 0:
        seasonal = (1.0 - share) * state[_PROFILE + here] + share * state[_PROFILE + other]
        hourly = (1.0 - share) * state[_PROFILE_SPREAD + here] + share * state[_PROFILE_SPREAD + other]
        expected = seasonal + state[_OFFSET]
        levelled = value - expected
        _seasonal_features(state, value - seasonal, hourly, day, out)
    _learn_season(state, value, levelled, here, day)
    return expected


@jit
def _seasonal_features(state: Floats32, plain: float, hourly: float, day: float, out: Floats) -> None:
    levelled = plain - state[_OFFSET]
    usual, usual_plain = state[_SEASONAL] + TINY, state[_PLAIN] + TINY
    warm = state[_N] > 1.5 * day
    out[19], out[20] = plain / usual_plain, levelled / usual
    out[21] = levelled / (hourly + 0.1 * state[_SEASONAL] + TINY)
    state[_S3] += 0.2 * (levelled - state[_S3])
    state[_S12] += 0.056 * (levelled - state[_S12])
    state[_S60] += 0.0115 * (plain - state[_S60])
    out[22], out[23], out[24] = state[_S3] / usual, state[_S12] / usual, state[_S60] / usual_plain
    state[_S240] += 0.00288 * (_bounded(plain, 8.0 * usual_plain) - state[_S240])
    out[37] = state[_S240] / (state[_SLOW] + TINY)
    state[_SLOW] = _follow(state[_SLOW], abs(state[_S240]), 0.5 / day, warm)
    # In ordinary deviations and not in the season's own scale, which a long incident widens.
    state[_FROM_SEASON] = max(abs(plain), HELD_SHARE * state[_FROM_SEASON])
    out[40], out[41] = plain, state[_FROM_SEASON]
    out[25] = (levelled - state[_BEFORE]) / usual
    out[26], out[27] = hourly / usual, usual / (state[_SPREAD] + TINY)
    state[_BEFORE] = levelled
    state[_OFFSET] += 0.0115 * (_bounded(levelled, 4.0 * usual) if warm else levelled)
    state[_SEASONAL] = _follow(state[_SEASONAL], abs(levelled), 0.5 / day, warm)
    state[_PLAIN] = _follow(state[_PLAIN], abs(plain), 0.5 / day, warm)


@jit
def _follow(scale: float, size: float, gain: float, warm: bool) -> float:
    """A scale moved towards a size, but once it is warm not towards more than four scales."""
    if scale <= 0.0:
        return size
    return scale + gain * ((min(size, 4.0 * (scale + TINY)) if warm else size) - scale)


@jit
def _learn_season(state: Floats32, value: float, levelled: float, here: int, day: float) -> None:
    each = max(1.0, day / BINS)
    seen = state[_PROFILE_COUNT + here]
    if seen == 0:
        state[_PROFILE + here] = value
    else:
        gain = max(0.15 / each, 1.0 / (seen + 1.0))
        off = value - state[_PROFILE + here]
        if seen >= 2.0 * each:
            off = _bounded(off, 5.0 * (state[_PLAIN] + TINY))
        state[_PROFILE + here] += gain * off
        size = min(abs(levelled), 5.0 * (state[_SEASONAL] + TINY))
        state[_PROFILE_SPREAD + here] += gain * (size - state[_PROFILE_SPREAD + here])
    state[_PROFILE_COUNT + here] = min(seen + 1.0, 1e6)


@jit
def _bursts(state: Floats32, change: float, out: Floats) -> None:
    """How strange the last minutes were, and how long nothing has moved."""
    local, seasonal = min(abs(out[2]), 30.0), min(abs(out[20]), 30.0)
    for index in range(4):
        size = local if index < 2 else seasonal
        kept = 0.87 if index % 2 == 0 else 0.97
        state[_BURSTS + index] = max(size, kept * state[_BURSTS + index])
        out[28 + index] = state[_BURSTS + index]
    extreme = 1.0 if max(local, seasonal) > 5.0 else 0.0
    state[_EXTREMES] += 0.13 * (extreme - state[_EXTREMES])
    state[_EXTREMES + 1] += 0.0115 * (extreme - state[_EXTREMES + 1])
    out[32], out[33] = state[_EXTREMES], state[_EXTREMES + 1]
    still = 1.0 if change == 0.0 else 0.0
    state[_FLAT] = min(state[_FLAT] + 1.0, 200.0) * still
    state[_FLAT_SHARE] += max(0.01, 1.0 / (state[_N] + 1.0)) * (still - state[_FLAT_SHARE])
    out[34], out[35] = state[_FLAT], state[_FLAT_SHARE]


@jit
def _first(state: Floats32, value: float) -> None:
    """The first value is every mean."""
    for index in range(4):
        state[_MEANS + index] = value
        state[_LAST + index] = value
    state[_LEVEL] = state[_HIGH] = state[_LOW] = value


@jit
def advance(state: Floats32, value: float, place: float, day: float, out: Floats) -> float:
    """Features of one value into `out`, shape (COUNT,), but for two; returns what was expected.

    `place` is the time of day in bins, 0 to BINS; `day` the points of a day. Changes `state`.
    """
    if state[_N] == 0:
        _first(state, value)
    before = state[_LAST]
    _residuals(state, value, out)
    _changes(state, value, day, out)
    _window(state, value, out)
    _level(state, value, day, out)
    expected = _season(state, value, place, day, out)
    _bursts(state, value - before, out)
    state[_N] += 1.0 if state[_N] < 1e6 else 0.0
    for index in range(COUNT):
        out[index] = _bounded(out[index], BOUND)
    return expected


@jit
def run(states: Floats32, values: Floats, places: Floats, day: float, out: Floats32) -> Floats:
    """Features of many values of many series, and what was expected of each.

    Parameters
    ----------
    states
        Shape (n_series, STATE); changed.
    values
        Shape (n_series, n_points), in ordinary deviations. NaN: missing.
    places
        Shape (n_points,), the time of day in bins.
    out
        Shape (n_series, n_points, COUNT); filled, 0 where a value is missing.
    """
    expected = np.full(values.shape, np.nan)
    row = np.zeros(COUNT)
    for series in range(values.shape[0]):
        for point in range(values.shape[1]):
            value = values[series, point]
            if np.isnan(value):
                out[series, point] = 0.0
                continue
            expected[series, point] = advance(states[series], value, places[point], day, row)
            for index in range(COUNT):
                out[series, point, index] = row[index]
    return expected
