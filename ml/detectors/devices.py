"""Where networks compute: on the GPU where one is wanted and there, else on one core of the processor.

Work is spread over worker processes. The networks are so small that a second thread of theirs mostly waits
for the first: learning took 1.3 to 1.7 times the CPU seconds, and on a busy machine many times the clock's.
"""

from __future__ import annotations

import torch
from torch import nn

torch.set_num_threads(1)


def device_for(*, gpu: bool) -> str:
    """`cuda` or `cpu`."""
    return "cuda" if gpu and torch.cuda.is_available() else "cpu"


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights lie; the processor for quantised ones, whose weights are packed."""
    return next((weight.device for weight in network.parameters()), torch.device("cpu"))
