"""The incremental form of models that look back a bounded number of rows: keep those, score them again.

In: a model with a `context`. Out: for each row the score its batch form gives. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import Batch, Scores


@dataclass
class Ring:
    """The last rows of all series: times, and values of shape (n_series, n_metrics, n_rows)."""

    capacity: int
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)

    def push(self, timestamp_ms: int, values: Floats) -> None:
        """Add a row of shape (n_series, n_metrics); the oldest leaves a full ring."""
        if len(self.values) == self.capacity:
            del self.timestamps_ms[0], self.values[0]
        self.timestamps_ms.append(timestamp_ms)
        self.values.append(values)

    def batch(self, step_ms: int) -> Batch:
        """The rows held, oldest first."""
        return Batch(np.array(self.timestamps_ms, np.int64), np.stack(self.values, axis=2), step_ms)


class Looking(Protocol):
    """A model that looks back `context` rows."""

    @property
    def context(self) -> int:
        """Rows before the scored one that matter."""

    def score(self, batch: Batch) -> Scores:
        """Score each row."""


class RingSteps:
    """Mixin: `start` and `step` by keeping the last `context + 1` rows and scoring the newest again."""

    def start(self: Looking) -> Ring:
        """An empty ring."""
        return Ring(self.context + 1)

    def step(self: Looking, state: Ring, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row."""
        state.push(timestamp_ms, values)
        return self.score(state.batch(step_ms=1)).score[:, -1]
