"""Autoencoders over many series: what a network cannot tell again of the last rows is strange.

In: single metrics or hosts. Out: scores; one network for all series of a batch. Refused: nothing. Needs
torch. The network is fitted to what the training span showed, bounded, so that outliers are not learned.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import nn
from torch.nn.functional import smooth_l1_loss

from alertsite.core.samples import Floats
from ml.detectors.convolutional import ConvolutionalAutoencoder
from ml.detectors.devices import device_of
from ml.detectors.fits import WEIGHT_PREFIX, Fit
from ml.detectors.hosts import Scaling, judged, learn_scaling, metric_reasons, rows_to_learn
from ml.detectors.lstm_autoencoder import LAGS, LSTMAutoencoder
from ml.detectors.protocol import Arrays, Batch, Progress, Reason, Scores
from ml.detectors.rings import Ring, RingSteps
from ml.detectors.seasonal_quantile import SeasonalQuantile, bins_of
from ml.detectors.segments import Segments, cut
from ml.detectors.thresholds import tail_thresholds

SEGMENT: Final = 200
"""Rows that a network reads in one go after `sequence_length` rows to warm up."""
BOUND: Final = 5.0
"""Channels end here for the network: it cannot tell an outlier, so an outlier is strange."""
SIDE_BY_SIDE: Final = 512
LEARNING_RATE: Final = 5e-3
KEPT_EVERY: Final = 15
"""Steps after which a fit that is watched keeps its state."""
DRAWN: Final = 24
"""Segments that a step learns from."""
ARCHITECTURES: Final = {"lstm_autoencoder": LSTMAutoencoder, "convolutional": ConvolutionalAutoencoder}
SCALES: Final = ("level", "scale", "profile", "profile_width", "spread", "threshold")
NUMBERS: Final = ("step_ms", "sequence_length")
HOLD: Final = (0.5, 0.3, 0.2)
"""Weights of the errors of a row and of the two before: what lasts counts more than what flickers."""


@dataclass(frozen=True)
class DeepModel(RingSteps):
    """A network, and what puts each series on its scale.

    Attributes
    ----------
    level, scale
        Shapes (n_series, n_metrics).
    profile, profile_width
        Shapes (n_series, n_bins): the time of day of single metrics; (n_series, 0) for hosts.
    spread
        Shape (n_series, n_channels): usual errors.
    threshold
        Shape (n_series,).
    """

    network: nn.Module
    level: Floats
    scale: Floats
    profile: Floats
    profile_width: Floats
    spread: Floats
    threshold: Floats
    step_ms: int
    sequence_length: int
    detector: str

    @property
    def context(self) -> int:
        """A segment and its warm-up, and the rows that errors are held."""
        return SEGMENT + self.sequence_length + len(HOLD)

    def score(self, batch: Batch) -> Scores:
        """Root mean square error of the rows told again, in thresholds."""
        return Scores(judged(self.distances(batch), self.threshold, batch))

    def step(self, state: Ring, timestamp_ms: int, values: Floats) -> Floats:
        """Score one more row: only the segments are read that its errors are in."""
        state.push(timestamp_ms, values)
        batch = state.batch(self.step_ms)
        distances = self.distances(batch, first=batch.points - len(HOLD))
        return judged(distances, self.threshold, batch)[:, -1]

    def distances(self, batch: Batch, *, first: int = 0) -> Floats:
        """Held root mean square errors, shape (n_series, n_points), of the rows from `first` on."""
        errors = self.errors(batch, first=first) / self.spread[:, None]
        size = np.sqrt(np.mean(errors**2, axis=2))
        held = HOLD[0] * size
        for lag, weight in enumerate(HOLD[1:], start=1):
            held[:, lag:] += weight * size[:, :-lag] if batch.points > lag else 0.0
        return np.asarray(held)

    def errors(self, batch: Batch, *, first: int = 0) -> Floats:
        """What was not told of each row itself, shape (n_series, n_points, n_channels).

        Rows before `first` may be left out. Segments of many series are read side by side.
        """
        channels = self.channels(batch)
        segments = cut(batch.timestamps_ms, self.step_ms, length=SEGMENT, lead=self.sequence_length)
        segments = segments.holding(first)
        at_once = max(1, SIDE_BY_SIDE // max(len(segments.rows), 1))
        told = [
            self._told(segments, channels[start : start + at_once])
            for start in range(0, len(channels), at_once)
        ]
        errors: Floats = channels - np.concatenate(told) if told else channels
        return errors

    def _told(self, segments: Segments, channels: Floats) -> Floats:
        """Rows of some series told again, in the shape of `channels`."""
        gathered = np.concatenate([segments.gather(rows) for rows in channels])
        gathered = np.clip(gathered, -BOUND, BOUND).astype(np.float32)
        pieces = [np.empty((0, SEGMENT, channels.shape[2]), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(gathered), SIDE_BY_SIDE):
                rows_here = torch.from_numpy(gathered[start : start + SIDE_BY_SIDE])
                told = self.network(rows_here.to(device_of(self.network)))
                pieces.append(told[:, segments.lead :, 0].cpu().numpy())
        together = np.concatenate(pieces).astype(np.float64)
        each = (len(channels), len(segments.rows), SEGMENT, channels.shape[2])
        return segments.scatter(together.reshape(each), channels.shape[1])

    def channels(self, batch: Batch) -> Floats:
        """Deviations from the level, and for single metrics from the time of day; (n_series, n_points,
        n).
        """
        deviations = Scaling(self.level, self.scale).deviations(batch)
        if not self.profile.shape[1]:
            return np.ascontiguousarray(deviations)
        which = bins_of(batch.timestamps_ms, self.profile.shape[1])
        seasonal = (batch.values[:, 0] - self.profile[:, which]) / self.profile_width[:, which]
        seasonal = np.clip(np.nan_to_num(seasonal, nan=0.0), -1e3, 1e3)
        return np.stack([deviations[:, :, 0], seasonal], axis=2)

    def explain(self, batch: Batch, series: int, row: int) -> list[Reason]:
        """The metrics that were told worst."""
        here = batch.rows(max(0, row - self.context), row + 1)
        errors = self.errors(here)[series, -1] / self.spread[series]
        values = np.resize(here.values[series, :, -1], len(errors))
        return metric_reasons(errors, values, float(np.nan_to_num(self.score(here).score[series, -1])))

    def to_arrays(self) -> Arrays:
        """Weights of the network, and the scales."""
        names = (
            "level",
            "scale",
            "profile",
            "profile_width",
            "spread",
            "threshold",
            "step_ms",
            "sequence_length",
        )
        own = {name: np.asarray(getattr(self, name)) for name in names}
        return own | {
            WEIGHT_PREFIX + name: weight.cpu().numpy() for name, weight in self.network.state_dict().items()
        }

    def quantised(self) -> DeepModel:
        """The same with weights of eight bits, quantised as they are used."""
        quantise = torch.ao.quantization.quantize_dynamic
        small = quantise(deepcopy(self.network).cpu(), {nn.LSTM, nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
        return replace(self, network=small)


@dataclass(frozen=True)
class DeepAnomalyDetector:
    """Fits one autoencoder to all series of a batch.

    `contamination` is the share of training rows that may be anomalous: that share with the largest
    errors is left out of the second half of the fit.
    """

    architecture: str = "lstm_autoencoder"
    sequence_length: int = 50
    hidden_units: int = 128
    contamination: float = 0.1
    steps: int = 60
    false_alarm_rate: float = 1e-3
    device: str = "cpu"

    joint: ClassVar[bool] = True
    adapts: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The architecture's."""
        return self.architecture

    def learn(self, batch: Batch, *, seed: int, progress: Progress | None = None) -> DeepModel:
        """Fit scales, network, usual errors and thresholds; the network from where `progress` says it was.

        A fit that goes on gives the model that one without a break gives.
        """
        model = self._untrained(batch, seed)
        channels, rows = model.channels(batch), rows_to_learn(batch)
        segments = cut(batch.timestamps_ms, batch.step_ms, length=SEGMENT, lead=self.sequence_length)
        if rows.any():
            # Rows are drawn at random, so the series are put into an order of their own first.
            order = sorted(range(len(batch)), key=lambda series: batch.values[series].tobytes())
            gathered = np.concatenate([segments.gather(channels[each]) for each in order])
            present = rows[:, :, None].astype(np.float64)
            usable = np.concatenate([segments.gather(present[each]) for each in order])[..., 0]
            fit = Fit.of(model.network, rate=LEARNING_RATE, kept_every=KEPT_EVERY, progress=progress)
            self._fit(fit, gathered, usable, seed)
        return self._calibrated(model, batch)

    def _untrained(self, batch: Batch, seed: int) -> DeepModel:
        scaling = learn_scaling(batch.learnable())
        metrics = batch.values.shape[1]
        profile = width = np.zeros((len(batch), 0))
        if metrics == 1:
            season = SeasonalQuantile().learn(batch, seed=seed)
            profile = season.median.astype(np.float64)
            width = season.half_width.astype(np.float64) / 3.0
        return DeepModel(
            network=self._network(2 if metrics == 1 else metrics, seed),
            level=scaling.level,
            scale=scaling.scale,
            profile=profile,
            profile_width=width,
            spread=np.ones((len(batch), 2 if metrics == 1 else metrics)),
            threshold=np.ones(len(batch)),
            step_ms=batch.step_ms,
            sequence_length=self.sequence_length,
            detector=self.architecture,
        )

    def _network(self, channels: int, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: Any = ARCHITECTURES[self.architecture](channels, hidden_units=self.hidden_units)
        return network.eval().to(self.device)

    def _fit(self, fit: Fit, gathered: Floats, usable: Floats, seed: int) -> None:
        random = np.random.default_rng(seed)
        rows = torch.from_numpy(np.clip(gathered, -BOUND, BOUND).astype(np.float32)).to(self.device)
        present = torch.from_numpy(usable.astype(np.float32)).to(self.device)

        def draw() -> Callable[[int], torch.Tensor]:
            chosen = torch.from_numpy(random.integers(0, len(rows), DRAWN)).to(self.device)
            return lambda step: self._loss(fit.network, rows[chosen], present[chosen], step)

        fit.run(self.steps, draw)

    def _loss(self, network: nn.Module, rows: torch.Tensor, weights: torch.Tensor, step: int) -> torch.Tensor:
        """The mean over rows that count; in the second half of the fit the worst told do not."""
        losses = told_losses(network(rows), rows)
        if step >= self.steps // 2:
            weights = weights * (losses <= torch.quantile(losses, 1.0 - self.contamination))
        return (losses * weights).sum() / weights.sum().clamp(min=1.0)

    def _calibrated(self, model: DeepModel, batch: Batch) -> DeepModel:
        rows = rows_to_learn(batch)
        errors = np.where(rows[:, :, None], model.errors(batch), np.nan)
        spread = np.ones_like(model.spread)
        for series in range(len(batch)):
            if rows[series].any():
                known = np.clip(errors[series, rows[series]], -BOUND, BOUND)
                spread[series] = np.std(known, axis=0) + 0.1
        shaped = replace(model, spread=spread)
        raw = np.where(rows, shaped.distances(batch), np.nan)
        threshold = tail_thresholds(raw, false_alarm_rate=self.false_alarm_rate, floor=0.5)
        return replace(shaped, threshold=threshold)

    def restore(self, arrays: Arrays) -> DeepModel:
        """The model again."""
        weights = {
            name.removeprefix(WEIGHT_PREFIX): torch.from_numpy(array.copy())
            for name, array in arrays.items()
            if name.startswith(WEIGHT_PREFIX)
        }
        network = self._network(arrays["spread"].shape[1], seed=0)
        network.load_state_dict(weights)
        return DeepModel(
            network=network,
            detector=self.architecture,
            step_ms=int(arrays["step_ms"]),
            sequence_length=int(arrays["sequence_length"]),
            **{name: arrays[name] for name in SCALES},
        )


def told_losses(told: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The mean loss over lags and channels of each row, shape (n, width)."""
    losses = torch.zeros(rows.shape[:2], device=rows.device)
    for index, lag in enumerate(LAGS):
        stop = rows.shape[1] - lag
        part = smooth_l1_loss(told[:, lag:, index], rows[:, :stop], reduction="none").mean(dim=-1)
        losses[:, lag:] += part / len(LAGS)
    return losses
