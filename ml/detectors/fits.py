"""Fits of networks by gradient that may be interrupted: their state is kept, and taken up by another process.

In: a network, losses, where progress is kept. Out: the network, fitted in place. Refused: nothing; what was
kept of another network is not given here. Needs torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import nn

from ml.detectors.protocol import Progress

STEP: Final = "step"
MOMENTS: Final = ("step", "exp_avg", "exp_avg_sq")
"""What Adam knows of each parameter."""
WEIGHT_PREFIX: Final = "network."


@dataclass(frozen=True)
class Fit:
    """A network and its optimiser, whose state is kept every `kept_every` steps."""

    network: nn.Module
    optimiser: torch.optim.Adam
    rate: float
    kept_every: int
    progress: Progress | None

    @classmethod
    def of(cls, network: nn.Module, *, rate: float, kept_every: int, progress: Progress | None) -> Fit:
        """Before the first step."""
        return cls(network, torch.optim.Adam(network.parameters(), lr=rate), rate, kept_every, progress)

    def run(self, steps: int, draw: Callable[[], Callable[[int], torch.Tensor]]) -> None:
        """Take so many steps at a rate that falls to 0 along a cosine.

        Parameters
        ----------
        draw
            Draws what a step learns from, and gives what computes its loss from the number of the step. Steps
            that were done before are drawn and not computed, so that the rest see what they would have seen.
        """
        done = self._resume()
        for step in range(steps):
            loss = draw()
            if step < done:
                continue
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * (1.0 + math.cos(math.pi * step / steps)) / 2.0
            lost = loss(step)
            self.optimiser.zero_grad()
            lost.backward()
            self.optimiser.step()
            self._keep(step + 1)

    def _keep(self, step: int) -> None:
        if self.progress is None or step % self.kept_every:
            return
        arrays = {STEP: np.array(step)}
        arrays |= {WEIGHT_PREFIX + name: one.cpu().numpy() for name, one in self.network.state_dict().items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            arrays |= {f"{number}.{name}": value.cpu().numpy() for name, value in moments.items()}
        self.progress.keep(step, arrays)

    def _resume(self) -> int:
        """Take up the kept state; how many steps are done."""
        saved = self.progress.saved() if self.progress is not None else None
        if saved is None:
            return 0
        restored = {name: torch.from_numpy(array.copy()) for name, array in saved.items()}
        own = {name: restored[WEIGHT_PREFIX + name] for name in self.network.state_dict()}
        self.network.load_state_dict(own)
        state = self.optimiser.state_dict()
        state["state"] = {
            number: {name: restored[f"{number}.{name}"] for name in MOMENTS}
            for number in range(len(list(self.network.parameters())))
        }
        self.optimiser.load_state_dict(state)
        return int(saved[STEP])
