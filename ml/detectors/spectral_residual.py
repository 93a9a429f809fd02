"""The spectral residual: what of a window's spectrum is not like its own average.

In: single metrics. Out: scores of the saliency of the last row of each window. Refused: hosts of many
metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from alertsite.core.samples import Floats
from ml.detectors.protocol import ArrayModel, Arrays, Batch, Reason, Scores
from ml.detectors.rings import RingSteps
from ml.detectors.thresholds import tail_thresholds
from ml.detectors.windows import Level, judged, learn_level, ordinary_only, over_windows

AVERAGED = 3
"""Neighbouring frequencies that the log spectrum is compared with."""
AHEAD = 5
"""Points put after the last one, along the recent slope: the transform sees a wave, not an edge."""
EPSILON = 1e-8


def saliency(windows: Floats) -> Floats:
    """How much the last row of each window stands out of the window's saliency map, shape (n_windows,)."""
    width = windows.shape[1]
    slope = (windows[:, -1] - windows[:, -1 - AHEAD]) / AHEAD
    ahead = windows[:, -AHEAD] + AHEAD * slope
    spectrum = np.fft.rfft(
        np.concatenate([windows, np.repeat(ahead[:, None], AHEAD, axis=1)], axis=1), axis=1
    )
    amplitude = np.abs(spectrum) + EPSILON
    logs = np.log(amplitude)
    sums = np.cumsum(np.pad(logs, ((0, 0), (AVERAGED, 0)), mode="edge"), axis=1)
    average = (sums[:, AVERAGED:] - sums[:, :-AVERAGED]) / AVERAGED
    salient = np.abs(np.fft.irfft(spectrum / amplitude * np.exp(logs - average), n=width + AHEAD, axis=1))
    usual = salient[:, :width].mean(axis=1)
    # A flat window has no spectrum worth comparing: nothing in it stands out.
    flat = np.ptp(windows, axis=1) < EPSILON
    raw: Floats = np.where(flat, 0.0, np.maximum(salient[:, width - 1] - usual, 0.0) / (usual + EPSILON))
    return raw


@dataclass(frozen=True)
class SpectralResidualModel(RingSteps, ArrayModel):
    """Level, scale and threshold of each series, shapes (n_series,), and the window's width."""

    level: Floats
    scale: Floats
    threshold: Floats
    width: int

    detector: ClassVar[str] = "spectral_residual"

    @property
    def context(self) -> int:
        """A window less the scored row."""
        return self.width - 1

    def score(self, batch: Batch) -> Scores:
        """Saliency of each row, in thresholds."""
        return Scores(judged(self.saliencies(batch), self.threshold, batch))

    def saliencies(self, batch: Batch) -> Floats:
        """Saliency times how far the row deviates, shape (n_series, n_points): both must be there."""
        deviations = Level(self.level, self.scale).deviations(batch)
        raw = over_windows(deviations, self.width, lambda _, windows: saliency(windows))
        return raw * np.sqrt(np.abs(deviations) + EPSILON)

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The row's saliency among its window's."""
        here = batch.rows(max(0, row - self.context), row + 1)
        score = float(np.nan_to_num(self.score(here).score[series, -1]))
        return [
            Reason(f"saliency among the last {self.width} rows", float(here.values[series, 0, -1]), score)
        ]


@dataclass(frozen=True)
class SpectralResidual:
    """Saliency maps of trailing windows.

    References
    ----------
    H. Ren et al. (2019), Time-series anomaly detection service at Microsoft, KDD.
    """

    width: int = 64
    false_alarm_rate: float = 1e-3
    min_saliency: float = 3.0

    name: ClassVar[str] = "spectral_residual"
    joint: ClassVar[bool] = False
    adapts: ClassVar[bool] = False

    def learn(self, batch: Batch, *, seed: int) -> SpectralResidualModel:
        """Fit level and threshold; nothing is drawn at random."""
        del seed
        level = learn_level(batch)
        model = SpectralResidualModel(level.level, level.scale, np.ones(len(batch)), self.width)
        raw = ordinary_only(model.saliencies(batch), batch, self.width)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=self.min_saliency)
        return SpectralResidualModel(level.level, level.scale, threshold, self.width)

    def restore(self, arrays: Arrays) -> SpectralResidualModel:
        """The model again."""
        return SpectralResidualModel.from_arrays(arrays)
