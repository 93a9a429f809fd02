"""Functions of each value by itself. In: a vector, scalars of shape (b, t). Out: a vector of those rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from alertsite.core.samples import Bools, Floats, Ints
from rules.language.frames import Vector

Elementwise: TypeAlias = Callable[[Floats], Floats]

_Dates: TypeAlias = npt.NDArray[np.datetime64]

_DAY_S = 86_400
_LAST_SECOND = 2**55
"""Far beyond the years NumPy's calendar knows; values are clipped to it, so that no conversion overflows."""


def _sign(values: Floats) -> Floats:
    return np.where(values < 0, -1.0, np.where(values > 0, 1.0, values))


ELEMENTWISE: dict[str, Elementwise] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": np.degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": np.radians,
    "sgn": _sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


def _instants(seconds: Floats) -> Ints:
    whole = np.trunc(np.nan_to_num(seconds, nan=-_LAST_SECOND, posinf=_LAST_SECOND, neginf=-_LAST_SECOND))
    return np.clip(whole, -_LAST_SECOND, _LAST_SECOND).astype(np.int64)


def _days(seconds: Floats) -> _Dates:
    days: _Dates = np.floor_divide(_instants(seconds), _DAY_S).view("datetime64[D]")
    return days


def _in_unit(days: _Dates, unit: str) -> _Dates:
    dates: _Dates = days.astype(f"datetime64[{unit}]")
    return dates


def _since(days: _Dates, unit: str) -> Floats:
    """Days from the first day of the month or year, counted from one."""
    first = _in_unit(_in_unit(days, unit), "D")
    return np.asarray((days - first).astype(np.int64) + 1.0)


def _days_in_month(seconds: Floats) -> Floats:
    months = _in_unit(_days(seconds), "M")
    following = months + np.timedelta64(1, "M")
    return (_in_unit(following, "D") - _in_unit(months, "D")).astype(np.float64)


CALENDAR: dict[str, Elementwise] = {
    "days_in_month": _days_in_month,
    "day_of_month": lambda seconds: _since(_days(seconds), "M"),
    # The epoch was a Thursday.
    "day_of_week": lambda seconds: ((_days(seconds).astype(np.int64) + 4) % 7).astype(np.float64),
    "day_of_year": lambda seconds: _since(_days(seconds), "Y"),
    "hour": lambda seconds: (_instants(seconds) % _DAY_S // 3600).astype(np.float64),
    "minute": lambda seconds: (_instants(seconds) % 3600 // 60).astype(np.float64),
    "month": lambda seconds: (_in_unit(_days(seconds), "M").astype(np.int64) % 12 + 1).astype(np.float64),
    "year": lambda seconds: np.asarray(_in_unit(_days(seconds), "Y").astype(np.int64) + 1970.0),
}
"""UTC calendar of seconds since the epoch."""


def clamp(vector: Vector, low: Floats, high: Floats) -> Vector:
    """Values forced into `[low, high]`; a rule whose bounds are crossed has none. NaN stays NaN."""
    low, high = low[vector.rows.owners], high[vector.rows.owners]
    present: Bools = vector.present & ~(high < low)
    return vector.with_values(np.maximum(low, np.minimum(high, vector.values)), present)


def round_to(vector: Vector, nearest: Floats) -> Vector:
    """Values rounded to a multiple of `nearest`, halves up."""
    inverse = 1.0 / nearest[vector.rows.owners]
    return vector.with_values(np.floor(vector.values * inverse + 0.5) / inverse)
