"""Arithmetic and comparison by element. In: arrays that broadcast. Out: values, or what holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alertsite.core.samples import Bools, Floats
from rules.language.frames import Vector
from rules.language.syntax import COMPARISONS

ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARE: dict[str, Callable[[Floats, Floats], Bools]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def scalars(op: str, left: Floats, right: Floats) -> Floats:
    """Two scalars; a comparison gives 0 or 1."""
    if op in COMPARISONS:
        return COMPARE[op](left, right).astype(np.float64)
    return ARITHMETIC[op](left, right)


def vector_and_scalar(op: str, vector: Vector, scalar: Floats, *, swapped: bool, return_bool: bool) -> Vector:
    """A vector and a scalar, shape (b, t), which stands on the left if `swapped`.

    A comparison keeps the elements for which it holds, with the vector's value; with `bool` all, as 0 or 1.
    """
    if len(scalar) > 1:
        scalar = scalar[vector.rows.owners]
    left, right = (scalar, vector.values) if swapped else (vector.values, scalar)
    if op not in COMPARISONS:
        return vector.with_values(ARITHMETIC[op](left, right))
    holds = COMPARE[op](left, right)
    if return_bool:
        return vector.with_values(holds.astype(np.float64))
    return Vector(vector.rows, vector.values, vector.present & holds, vector.order)
