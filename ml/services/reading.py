"""History of a group's series on its grid.

In: a selector and ticks. Out: label sets and a batch with NaN where a sample is missing. Refused: more
ticks or samples than a query may have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np

from alertsite.core.labels import LabelSet
from alertsite.core.samples import Floats
from ml.detectors.protocol import Batch
from rules.language.frames import QueryRange
from rules.services.querying import QueryTerms, TenantQueries

LOOKBACK_STEPS: Final = 2
"""A sample counts for this many ticks: scrapes and ticks do not meet exactly, and a gap must stay a gap."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Series of a selector at ticks. `batch` has one metric a series, in the order of `labels`."""

    labels: list[LabelSet]
    batch: Batch

    @property
    def values(self) -> Floats:
        """Shape (n_series, n_points)."""
        return self.batch.values[:, 0]

    def only(self, wanted: Sequence[LabelSet]) -> Grid:
        """These series in this order; all missing where the grid lacks one."""
        place = {labels: number for number, labels in enumerate(self.labels)}
        values = np.full((len(wanted), 1, self.batch.points), np.nan)
        for number, labels in enumerate(wanted):
            if labels in place:
                values[number] = self.batch.values[place[labels]]
        return Grid(list(wanted), Batch(self.batch.timestamps_ms, values, self.batch.step_ms))

    def since_first_sample(self) -> Grid:
        """The grid without the rows before any series began."""
        first = int(np.argmax(np.isfinite(self.values).any(axis=0)))
        return Grid(self.labels, self.batch.rows(first, self.batch.points))


def read_grid(tenant_id: UUID, selector: str, ticks: range, *, now_ms: int) -> Grid:
    """The series at these ticks, from the hot store and the archive."""
    found = TenantQueries(tenant_id, now_ms).over_range(
        selector,
        QueryRange(ticks[0], ticks[-1], ticks.step),
        QueryTerms(lookback_ms=LOOKBACK_STEPS * ticks.step),
    )
    values = np.where(found.present, found.values, np.nan)
    batch = Batch(np.array(ticks), values.reshape(len(found.labels), 1, len(ticks)), ticks.step)
    return Grid(list(found.labels), batch)
