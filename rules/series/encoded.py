"""Samples as ingestion hands them on: arrays, and labels still as the bytes that came in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from alertsite.core.samples import Floats, Ints
from rules.series.protocols import WriteReceipt


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Samples of several series, keyed by raw label bytes.

    Attributes
    ----------
    labels
        Shape (n,). For each series the label fields of its remote-write `TimeSeries` message, in any order,
        unchecked.
    series
        Shape (m,), int64, ascending. For each sample the position of its series in `labels`.
    timestamps_ms, values
        Shape (m,). In any order within a series.
    """

    labels: Sequence[bytes]
    series: Ints
    timestamps_ms: Ints
    values: Floats


class EncodedWriter(Protocol):
    """A store that takes what was decoded from the wire without making an object a sample."""

    def append_encoded(self, batch: EncodedBatch, *, now_ms: int) -> WriteReceipt:
        """Store what may be stored; count the rest by reason."""
