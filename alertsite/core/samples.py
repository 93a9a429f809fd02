"""Columnar samples, and the two NaNs that Prometheus tells apart.

A `Columns` value is the shape in which samples travel from the store to the evaluator: many series at once,
compressed-sparse-row, so that window functions run over all series in one NumPy call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]

STALE_NAN_BITS = 0x7FF0_0000_0000_0002
"""A sample with exactly these bits ends its series (Prometheus, `model/value/value.go`)."""
STALE_NAN: np.float64 = np.array([STALE_NAN_BITS], dtype=np.uint64).view(np.float64)[0]
"""The stale marker as a float. A Python `float()` of it keeps the bits; arithmetic does not."""


def is_stale(values: Floats) -> Bools:
    """Shape (n,) true where the value is a stale marker, not an ordinary NaN."""
    marks: Bools = values.view(np.uint64) == np.uint64(STALE_NAN_BITS)
    return marks


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of n series.

    Attributes
    ----------
    offsets
        Shape (n + 1,), int64. Samples of series i lie at `offsets[i]:offsets[i + 1]`.
    timestamps_ms
        Shape (m,), int64. Strictly increasing within a series.
    values
        Shape (m,), float64. Stale markers are kept.
    """

    offsets: Ints
    timestamps_ms: Ints
    values: Floats

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def empty(cls, count: int = 0) -> Columns:
        """`count` series without samples."""
        return cls(np.zeros(count + 1, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))

    def without_empty(self) -> Columns:
        """The series that have samples."""
        kept = np.concatenate(([True], np.diff(self.offsets) > 0))
        return Columns(self.offsets[kept], self.timestamps_ms, self.values)
