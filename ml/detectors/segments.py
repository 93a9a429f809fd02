"""Rows cut into segments that recurrent networks read side by side, with the same result however many
rows come.

In: rows with their times. Out: which rows form each segment, with those that it reads before. Refused:
nothing.

A segment is aligned to absolute time, so a row belongs to the same one in a batch of a year and in the
last minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alertsite.core.samples import Floats, Ints


@dataclass(frozen=True, slots=True)
class Segments:
    """Places of rows in segments.

    Attributes
    ----------
    rows
        Shape (n_segments, width): row numbers, -1 where a segment has none. The first `lead` are read only.
    lead
        Rows read before the segment's own.
    """

    rows: Ints
    lead: int

    def gather(self, channels: Floats) -> Floats:
        """Channels of shape (n_points, n_channels) as (n_segments, width, n_channels), 0 where there is
        no row.
        """
        gathered = channels[np.maximum(self.rows, 0)]
        gathered[self.rows < 0] = 0.0
        return gathered

    def scatter(self, values: Floats, points: int) -> Floats:
        """Values of shape (n_series, n_segments, width - lead, n_channels) back in the order of rows, shape
        (n_series, points, n_channels); 0 where no segment holds the row.
        """
        own = self.rows[:, self.lead :]
        scattered = np.zeros((len(values), points, values.shape[3]))
        scattered[:, own[own >= 0]] = values[:, own >= 0]
        return scattered

    def holding(self, first: int) -> Segments:
        """Those that own rows from `first` on."""
        return Segments(self.rows[(self.rows[:, self.lead :] >= first).any(axis=1)], self.lead)


def cut(timestamps_ms: Ints, step_ms: int, *, length: int, lead: int) -> Segments:
    """Segments of at most `length` rows each, split where `timestamps_ms // step_ms` passes a multiple of
    it.
    """
    points = len(timestamps_ms)
    if not points:
        return Segments(np.empty((0, lead + length), np.int64), lead)
    which = timestamps_ms // step_ms // length
    starts = np.flatnonzero(np.diff(which, prepend=which[:1] - 1))
    # A clock set back repeats rows: a segment that would be too long is split again.
    pieces = [
        np.arange(start, stop, length) for start, stop in zip(starts, [*starts[1:], points], strict=True)
    ]
    starts = np.concatenate(pieces)
    ends = np.append(starts[1:], points)
    places = starts[:, None] - lead + np.arange(lead + length)
    inside = (places >= 0) & (places < ends[:, None])
    return Segments(np.where(inside, places, -1), lead)
