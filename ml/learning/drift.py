"""Whether series, or their scores, are distributed otherwise than when a model learned.

In: profiles of what was learned, and recent values. Out: the population stability index (PSI) of each series.
Refused: nothing; series with too few values have none (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.samples import Floats

DECILES: Final = np.arange(1, 10) / 10
BINS: Final = len(DECILES) + 1
PSI_BOUND: Final = 0.25
"""Above this a shift is called major wherever the index is used."""
LEAST_VALUES: Final = 100
ROUND_EMPTY: Final = 0.005
"""An empty bin counts as this share: the index stays finite."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Deciles of series, and the shares of values up to each and above the last.

    Attributes
    ----------
    edges, shares
        Shapes (n_series, 9) and (n_series, 10). NaN for series of less than `LEAST_VALUES` values. Shares
        are a tenth each where no value is frequent.
    """

    edges: Floats
    shares: Floats


def profile_of(values: Floats) -> Profile:
    """The profile of each series, values of shape (n_series, n_points), NaN where missing."""
    edges = np.full((len(values), len(DECILES)), np.nan)
    shares = np.full((len(values), BINS), np.nan)
    for number, row in enumerate(values):
        present = row[np.isfinite(row)]
        if len(present) >= LEAST_VALUES:
            edges[number] = np.quantile(present, DECILES)
            shares[number] = _shares(edges[number], present)
    return Profile(edges, shares)


def stability_index(learned: Profile, values: Floats) -> Floats:
    """PSI of recent values, shape (n_series, n_points), against the profile of their series.

    Returns
    -------
    Shape (n_series,), 0 where nothing changed.
    """
    index = np.full(len(values), np.nan)
    for number, row in enumerate(values):
        present = row[np.isfinite(row)]
        if np.isfinite(learned.edges[number]).all() and len(present) >= LEAST_VALUES:
            expected = np.maximum(learned.shares[number], ROUND_EMPTY)
            found = np.maximum(_shares(learned.edges[number], present), ROUND_EMPTY)
            index[number] = ((found - expected) * np.log(found / expected)).sum()
    return index


def _shares(edges: Floats, present: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=BINS)
    return np.asarray(counts / len(present), np.float64)
