"""What metrics are: type, help and unit, as senders describe them. Kept beside the samples, for people.

In: descriptions, in any order and as often as senders like. Out: the last one of each metric. Refused, in
silence: metrics beyond the bound, since losing a description harms nothing; long texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

MAX_METRICS: Final = 10_000
"""Described, of a tenant."""
MAX_TEXT: Final = 500
TYPES: Final = (
    "unknown",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
)
"""In the order of remote write's numbers."""


@dataclass(frozen=True, slots=True)
class Description:
    """One metric."""

    metric: str
    type: str
    help: str = ""
    unit: str = ""


class MetadataStore(Protocol):
    """Descriptions of one tenant's metrics."""

    def note(self, described: Iterable[Description], *, now_ms: int) -> None:
        """Keep these."""

    def read(self, metric: str = "") -> list[Description]:
        """Everything that is kept, or what is kept of one metric; ordered by metric."""
