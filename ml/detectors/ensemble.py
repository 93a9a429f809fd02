"""`auto`: the ensemble that fits, built for each series: one for single metrics, one for hosts of many.

In: single metrics or hosts. Out: what the chosen ensemble's model gives. Refused: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ml.detectors.host_ensemble import HostEnsemble, HostEnsembleModel
from ml.detectors.metric_ensemble import MetricEnsemble, MetricEnsembleModel
from ml.detectors.nearest_windows import NearestWindows
from ml.detectors.protocol import Arrays, Batch


@dataclass(frozen=True)
class Auto:
    """Chooses by the number of metrics; the model that it learns carries the chosen detector's name.

    `onsets` is for whoever counts each row above the threshold as an alarm of its own, and so asks when a
    series begins to do what it has not done, rather than which of its rows are strange.
    """

    metric: MetricEnsemble = field(default_factory=MetricEnsemble)
    host: HostEnsemble = field(default_factory=HostEnsemble)
    onsets: NearestWindows = field(default_factory=NearestWindows)

    name: ClassVar[str] = "auto"
    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = True

    def learn(self, batch: Batch, *, seed: int) -> MetricEnsembleModel | HostEnsembleModel:
        """Fit the ensemble that fits the batch."""
        chosen = self.metric if batch.values.shape[1] == 1 else self.host
        return chosen.learn(batch, seed=seed)

    def restore(self, arrays: Arrays) -> MetricEnsembleModel | HostEnsembleModel:
        """The model again, told by its arrays."""
        chosen = self.metric if "states" in arrays else self.host
        return chosen.restore(arrays)
