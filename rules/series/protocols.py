"""The two seams of the series store. The evaluator owns the reader, the ingesters own the writer.

Both are bound to one tenant when they are made: no method takes a tenant, so none can name the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from alertsite.core.labels import LabelSet, Matcher
from alertsite.core.samples import Columns, Floats, Ints


class SeriesReader(Protocol):
    """Series of one tenant, by dense number."""

    def generation(self) -> int:
        """A number that changes when series were added or removed: `select` may now say something else."""

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers, shape (k,), of the series that satisfy every matcher.

        A matcher that accepts the empty string also accepts series without the label.
        """

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series, in the order asked."""

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        """Samples of these series, in the order asked, with `start_ms <= timestamp <= end_ms`.

        Strictly increasing in time within a series, stale markers kept. A number may be asked for once only.
        """


@dataclass(frozen=True, slots=True)
class SampleBatch:
    """Samples of several series, as they came in.

    Attributes
    ----------
    label_sets
        Shape (n,). One label set a series; the same set may stand more than once.
    series
        Shape (m,), int64. For each sample the position of its series in `label_sets`.
    timestamps_ms, values
        Shape (m,). In any order.
    """

    label_sets: Sequence[LabelSet]
    series: Ints
    timestamps_ms: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class WriteReceipt:
    """What became of a batch: nothing counted as accepted is lost, nothing refused is stored."""

    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    """Samples refused, by reason (`too_old`, `too_far_in_future`, `series_limit`, …)."""

    def also_refused(self, refused: Mapping[str, int]) -> WriteReceipt:
        """The receipt with what was refused before the writer saw it."""
        counts = {reason: count for reason, count in refused.items() if count}
        reasons = {*self.refused, *counts}
        total = {reason: self.refused.get(reason, 0) + counts.get(reason, 0) for reason in sorted(reasons)}
        return WriteReceipt(self.accepted, total)

    def summary(self) -> str:
        """In one line, for the client: `accepted 10 samples, refused 2: too_old 2`."""
        accepted = f"accepted {self.accepted} samples"
        if not self.refused:
            return accepted
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.refused.items()))
        return f"{accepted}, refused {sum(self.refused.values())}: {reasons}"


class SeriesWriter(Protocol):
    """The one way samples enter the store."""

    def append(self, batch: SampleBatch, *, now_ms: int) -> WriteReceipt:
        """Store what lies inside the lateness window and the tenant's limits; count the rest by reason."""
