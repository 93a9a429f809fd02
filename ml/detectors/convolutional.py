"""The convolutional autoencoder: dilated causal filters that must tell the last rows from a few numbers.

In: rows of channels. Out: the last rows again, as far as a narrow code tells them. Refused: nothing.
Needs torch.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import pad, relu

from ml.detectors.lstm_autoencoder import LAGS

WIDTH = 3
DILATIONS = (1, 3, 9)
"""Three rows at three spacings reach 27 rows back."""


class ConvolutionalAutoencoder(nn.Module):
    """Encodes each row's past by three causal layers into a code and decodes the rows at `LAGS` from it.

    References
    ----------
    S. Bai et al. (2018), An empirical evaluation of generic convolutional and recurrent networks.
    """

    def __init__(self, channels: int, *, hidden_units: int = 32, code_units: int = 8) -> None:
        super().__init__()
        sizes = [channels, *[hidden_units] * len(DILATIONS)]
        self.layers = nn.ModuleList(
            nn.Conv1d(before, after, WIDTH, dilation=dilation)
            for before, after, dilation in zip(sizes[:-1], sizes[1:], DILATIONS, strict=True)
        )
        self.code = nn.Linear(hidden_units, code_units)
        self.told = nn.Linear(code_units, channels * len(LAGS))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (n, width, channels) told again, shape (n, width, n_lags, channels)."""
        seen = rows.transpose(1, 2)
        for layer, dilation in zip(self.layers, DILATIONS, strict=True):
            seen = relu(layer(pad(seen, ((WIDTH - 1) * dilation, 0))))
        told: torch.Tensor = self.told(self.code(seen.transpose(1, 2)))
        return torch.reshape(told, (*told.shape[:2], len(LAGS), rows.shape[-1]))
