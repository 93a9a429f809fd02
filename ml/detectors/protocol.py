"""What a detector is: it learns from a batch of series and gives a model that scores batches.

In: many series of one grid, NaN where a sample is missing. Out: scores of which **more than 1 is
anomalous**, for every model, because each calibrates its own threshold while it learns. Refused: values
of a wrong shape.

A score of row t depends on the learned model and on rows up to t of the scored batch, never on later
ones. A batch starts cold, so callers put `context` earlier rows in front of those they want and cut them
off afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from alertsite.core.errors import PlatformError
from alertsite.core.samples import Bools, Floats, Ints

Arrays: TypeAlias = dict[str, npt.NDArray[Any]]


class InvalidBatch(PlatformError):
    """The arrays of a batch do not fit together."""

    code = "ml.invalid_batch"


@dataclass(frozen=True, slots=True)
class Batch:
    """Series on one grid: n_series hosts (or single metrics) of n_metrics each.

    Attributes ---------- timestamps_ms Shape (n_points,), not decreasing. values Shape (n_series,
    n_metrics, n_points), float64. NaN marks a missing sample. step_ms Spacing of the grid, positive.
    excluded Shape (n_series, n_points) or None. True where a span is known to be bad: nothing is
    learned from it.
    """

    timestamps_ms: Ints
    values: Floats
    step_ms: int
    excluded: Bools | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.timestamps_ms):
            raise InvalidBatch(
                f"values have the shape {self.values.shape}, expected (n_series, n_metrics, "
                f"{len(self.timestamps_ms)}), one column a timestamp"
            )
        if self.step_ms <= 0:
            raise InvalidBatch(f"step_ms is {self.step_ms}, accepts a positive number")
        if self.excluded is not None and self.excluded.shape != (len(self), len(self.timestamps_ms)):
            raise InvalidBatch(f"excluded has the shape {self.excluded.shape}, expected (n_series, n_points)")

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def points(self) -> int:
        """Rows of the grid."""
        return len(self.timestamps_ms)

    def rows(self, start: int, stop: int) -> Batch:
        """The rows `start:stop`."""
        excluded = None if self.excluded is None else self.excluded[:, start:stop]
        return Batch(
            self.timestamps_ms[start:stop], self.values[:, :, start:stop], self.step_ms, excluded=excluded
        )

    def learnable(self) -> Floats:
        """The values, NaN where a span is excluded or a value is infinite. Shape of `values`."""
        values = np.where(np.isfinite(self.values), self.values, np.nan)
        if self.excluded is not None:
            values[np.broadcast_to(self.excluded[:, None, :], values.shape)] = np.nan
        return values


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of each row, shapes (n_series, n_points).

    `score` is NaN where the sample is missing and 0 during warm-up. `expected`, `lower` and `upper`, in
    the unit of the metric, exist for models of single metrics that predict a value.
    """

    score: Floats
    expected: Floats | None = None
    lower: Floats | None = None
    upper: Floats | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of a score: the `feature` (with its metric, season or lag), its value, and how far outside
    it lies.

    `excess` is in multiples of what the model calls anomalous: more than 1 is outside.
    """

    feature: str
    value: float
    excess: float


class Model(Protocol):
    """A learned detector of n_series series."""

    @property
    def detector(self) -> str:
        """The name of the detector that learned it."""

    @property
    def context(self) -> int:
        """Earlier rows that a score depends on at most; -1 when it depends on all of them."""

    def score(self, batch: Batch) -> Scores:
        """Score each row from the rows up to it."""

    def start(self) -> Any:
        """The state before the first row, for `step`."""

    def step(self, state: Any, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row, values of shape (n_series, n_metrics): what `score` gives for it. Changes
        `state`.
        """

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """Why the row has its score, strongest reason first."""

    def to_arrays(self) -> Arrays:
        """Everything learned, for an artefact."""


class Progress(Protocol):
    """Where a long fit keeps its steps, so that another process can go on after the last one."""

    def saved(self) -> Arrays | None:
        """The state that was kept last."""

    def keep(self, step: int, arrays: Arrays, /) -> None:
        """Keep the state after so many steps."""


class Detector(Protocol):
    """Learns models. Stateless; its parameters are attributes."""

    @property
    def name(self) -> str:
        """What it is called in settings, artefacts and scores."""

    @property
    def joint(self) -> bool:
        """True if it looks at all metrics of a host together, False if it takes one metric a series."""

    @property
    def adapts(self) -> bool:
        """True if its models follow a changing series while they score, so that refitting adds little."""

    def learn(self, batch: Batch, *, seed: int) -> Model:
        """Fit one model of all series of the batch."""

    def restore(self, arrays: Arrays, /) -> Model:
        """The model that `to_arrays` described."""


SHARED: Final = MappingProxyType({"shared": True})


class ArrayModel:
    """Base of models that are dataclasses of arrays and numbers: gives `to_arrays` and `from_arrays`.

    A field with the metadata `SHARED` belongs to all models of a detector and is not saved with each.
    """

    def to_arrays(self) -> Arrays:
        """Every field as an array."""
        own = (each.name for each in fields(self) if not each.metadata.get("shared"))  # type: ignore[arg-type]
        return {name: np.asarray(getattr(self, name)) for name in own}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The model again; numbers leave their arrays."""
        return cls(**{name: array if array.ndim else array.item() for name, array in arrays.items()})
