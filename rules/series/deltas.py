"""The seam of delta sums: increases in, running totals out.

PromQL's `rate` and `increase` read counters, so an increase that a client sends is added to a total that is
kept for its series, whichever process its requests reach. A point that is not newer than the last one of its
series is refused: it came twice or too late, and totals that stand behind it are already written. Gaps
between points add nothing. A total that was forgotten starts at nothing, which reads as a counter's reset.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias


class Increase(NamedTuple):
    """What one series grew by. `value` is finite."""

    labels: bytes
    """Canonical, as `encode_labels` writes them."""
    timestamp_ms: int
    value: float


class DeltaRefusal(enum.Enum):
    """Why an increase was not added."""

    OUT_OF_ORDER = "delta_out_of_order"
    TOO_MANY_SERIES = "delta_series_limit"


Total: TypeAlias = float | DeltaRefusal


class DeltaTotals(Protocol):
    """Running totals of one tenant."""

    def add(self, increases: Sequence[Increase], *, now_ms: int) -> list[Total]:
        """Add these in order; for each the total up to it, or why it was refused."""
