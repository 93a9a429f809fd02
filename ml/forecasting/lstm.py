"""A recurrent forecaster: a long short-term memory reads the last days and tells the next points.

In: histories. Out: a network, and the continuation of series. Refused: nothing; where a history is shorter
than `FIRST_DAYS` the model gives what a seasonal blend gives. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import torch
from torch import nn

from alertsite.core.samples import Floats, Ints
from ml.detectors.devices import device_of
from ml.detectors.fits import Fit
from ml.detectors.protocol import Arrays, Progress
from ml.forecasting.protocol import History, checked_horizon
from ml.forecasting.seasonal import SeasonalBlend

FIRST_DAYS: Final = 15
READ_DAYS: Final = 3
BOUND: Final = 8.0
SCALE_FLOOR: Final = 1e-9
BATCH: Final = 128
HORIZON: Final = "horizon"
KEPT_EVERY: Final = 60
"""Steps after which a fit that is watched keeps its state."""


class Reader(nn.Module):
    """Reads rows (n, width, channels), and tells what lies `horizon` points beyond, shape (n, horizon)."""

    def __init__(self, channels: int, hidden_units: int, horizon: int) -> None:
        super().__init__()
        self.memory = nn.LSTM(channels, hidden_units, batch_first=True)
        self.told = nn.Linear(hidden_units + 2 * horizon, horizon)

    def forward(self, rows: torch.Tensor, seasonal: torch.Tensor) -> torch.Tensor:
        """The value of yesterday and what the memory and both seasons, (n, 2 * horizon), add to it."""
        states, _ = self.memory(rows)
        added: torch.Tensor = self.told(torch.cat([states[:, -1], seasonal], dim=1))
        return added + seasonal[:, : added.shape[1]]


@dataclass(frozen=True)
class LstmModel:
    """A network for `horizon` points, or none where the histories were too short."""

    network: Reader | None
    horizon: int
    forecaster: ClassVar[str] = "lstm"

    def predict(self, history: History, horizon: int) -> Floats:
        """The continuation of each series."""
        checked_horizon(horizon)
        if self.network is None or history.points < FIRST_DAYS * history.day:
            return SeasonalBlend().predict(history, horizon)
        told = []
        with torch.inference_mode():
            for series in history.filled():
                window = _Window(series, history.day, self.horizon)
                rows, seasonal, level, scale = window.at(np.array([len(series)]))
                device = device_of(self.network)
                ahead = self.network(rows.to(device), seasonal.to(device)).cpu().numpy()
                told.append(level + scale * ahead.astype(np.float64)[0])
        return np.array(told).reshape(len(told), self.horizon)[:, np.arange(horizon) % self.horizon]

    def to_arrays(self) -> Arrays:
        """The weights."""
        if self.network is None:
            return {}
        weights = {name: weight.cpu().numpy() for name, weight in self.network.state_dict().items()}
        return {HORIZON: np.array(self.horizon)} | weights


@dataclass(frozen=True)
class LstmForecaster:
    """Fits one network to windows of all series, each relative to the level and scale of its last week.

    References
    ----------
    S. Hochreiter and J. Schmidhuber (1997), Long short-term memory, Neural Computation 9(8).
    """

    hidden_units: int = 64
    steps: int = 600
    device: str = "cpu"

    name: ClassVar[str] = "lstm"

    def learn(
        self,
        histories: Sequence[History],
        horizon: int,
        *,
        seed: int,
        progress: Progress | None = None,
    ) -> LstmModel:
        """Fit to every history that is long enough; the network from where `progress` says it was."""
        usable = [each for each in histories if each.points >= (FIRST_DAYS + 1) * each.day + horizon]
        reach = min([checked_horizon(horizon), *(each.day for each in usable)])
        windows = [
            _Window(series, each.day, reach)
            for each in usable
            for series in sorted(each.filled(), key=lambda values: values.tobytes())
        ]
        if not windows:
            return LstmModel(None, reach)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Reader(_Window.channels, self.hidden_units, reach).to(self.device)
        self._fit(Fit.of(network, rate=3e-3, kept_every=KEPT_EVERY, progress=progress), windows, seed)
        return LstmModel(network.eval(), reach)

    def _fit(self, fit: Fit, windows: Sequence[_Window], seed: int) -> None:
        random = np.random.default_rng(seed)

        def draw() -> Callable[[int], torch.Tensor]:
            """The loss of a few drawn origins of a drawn series."""
            window = windows[int(random.integers(len(windows)))]
            origins = window.drawn(random)

            def loss(_: int) -> torch.Tensor:
                rows, seasonal, targets = (part.to(self.device) for part in window.lesson(origins))
                lost: torch.Tensor = (fit.network(rows, seasonal) - targets).abs().mean()
                return lost

            return loss

        fit.run(self.steps, draw)

    def restore(self, arrays: Arrays, /) -> LstmModel:
        """The model again."""
        if not arrays:
            return LstmModel(None, 1)
        weights: dict[str, Any] = {
            name: torch.from_numpy(array.copy()) for name, array in arrays.items() if name != HORIZON
        }
        hidden = weights["memory.weight_hh_l0"].shape[1]
        network = Reader(weights["memory.weight_ih_l0"].shape[1], hidden, int(arrays[HORIZON]))
        network.load_state_dict(weights)
        return LstmModel(network.eval().to(self.device), int(arrays[HORIZON]))


class _Window:
    """One series, cut into what the network reads and tells."""

    channels: ClassVar[int] = 3

    def __init__(self, values: Floats, day: int, horizon: int) -> None:
        self.values, self.day, self.horizon = values, day, horizon

    def at(self, origins: Ints) -> tuple[torch.Tensor, torch.Tensor, Floats, Floats]:
        """Rows and seasons of forecasts that begin at `origins`, their levels and scales."""
        week, width = 7 * self.day, READ_DAYS * self.day
        before = np.lib.stride_tricks.sliding_window_view(self.values, week)[origins - week]
        level = np.median(before, axis=1)
        spread = np.abs(before - level[:, None]).mean(axis=1)
        scale = np.maximum(spread, SCALE_FLOOR + 1e-3 * np.abs(level))
        places = origins[:, None] + np.arange(-width, 0)
        rows = [places, places - self.day, places - week]
        ahead = origins[:, None] + np.arange(self.horizon)
        seasonal = np.concatenate([self.values[ahead - self.day], self.values[ahead - week]], axis=1)
        read = np.stack([self.values[each] for each in rows], axis=2)
        return (
            _bounded((read - level[:, None, None]) / scale[:, None, None]),
            _bounded((seasonal - level[:, None]) / scale[:, None]),
            level,
            scale,
        )

    def drawn(self, random: np.random.Generator) -> Ints:
        """Where forecasts begin, drawn at random."""
        last = len(self.values) - self.horizon + 1
        origins: Ints = random.integers(FIRST_DAYS * self.day, last, BATCH)
        return origins

    def lesson(self, origins: Ints) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows, seasons and targets of forecasts that begin there."""
        rows, seasonal, level, scale = self.at(origins)
        ahead = self.values[origins[:, None] + np.arange(self.horizon)]
        return rows, seasonal, _bounded((ahead - level[:, None]) / scale[:, None])


def _bounded(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.clip(values, -BOUND, BOUND).astype(np.float32))
