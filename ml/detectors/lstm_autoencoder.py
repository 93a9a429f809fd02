"""The recurrent autoencoder: a long short-term memory that must tell the last rows from a few numbers.

In: rows of channels. Out: the last rows again, as far as a narrow code tells them. Refused: nothing.
Needs torch.
"""

from __future__ import annotations

import torch
from torch import nn

LAGS = (0, 1, 2, 4, 8, 16, 32, 49)
"""The rows of a sequence of 50 that are told again."""


class LSTMAutoencoder(nn.Module):
    """Encodes each row's past into a code of `code_units` and decodes the rows at `LAGS` from it.

    The memory runs along the rows, so that a row costs one step and not a whole sequence.

    References
    ----------
    P. Malhotra et al. (2016), LSTM-based encoder-decoder for multi-sensor anomaly detection.
    """

    def __init__(self, channels: int, *, hidden_units: int = 128, code_units: int = 8) -> None:
        super().__init__()
        self.memory = nn.LSTM(channels, hidden_units, batch_first=True)
        self.code = nn.Linear(hidden_units, code_units)
        self.decoded = nn.Linear(code_units, hidden_units)
        self.told = nn.Linear(hidden_units, channels * len(LAGS))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (n, width, channels) told again, shape (n, width, n_lags, channels)."""
        states, _ = self.memory(rows)
        told: torch.Tensor = self.told(torch.tanh(self.decoded(self.code(states))))
        return torch.reshape(told, (*told.shape[:2], len(LAGS), rows.shape[-1]))
