"""Where networks compute: on the GPU where one is wanted and there, else on the processor."""

from __future__ import annotations

import torch
from torch import nn


def device_for(*, gpu: bool) -> str:
    """`cuda` or `cpu`."""
    return "cuda" if gpu and torch.cuda.is_available() else "cpu"


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights lie; the processor for quantised ones, whose weights are packed."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))
