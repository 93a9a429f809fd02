"""Results of rules as columns: one element is one label set for which one rule yielded a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.labels import LabelSet
from alertsite.core.samples import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Elements:
    """Shape (n,) each. Labels are built when asked for, since most elements never need them."""

    rule: Ints
    fingerprint: Ints
    value: Floats
    label: Callable[[int], LabelSet]

    def at(self, chosen: Ints | Bools) -> Elements:
        """The elements at these positions, or where the mask is true."""
        positions = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Elements(
            self.rule[positions],
            self.fingerprint[positions],
            self.value[positions],
            lambda element: self.label(int(positions[element])),
        )


def concatenate(parts: Sequence[Elements]) -> Elements:
    """All elements of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        empty = np.empty(0, np.int64)
        return Elements(empty, empty, np.empty(0, np.float64), lambda _: ())
    starts = np.cumsum([0] + [len(part.rule) for part in parts])

    def label(element: int) -> LabelSet:
        part = int(np.searchsorted(starts, element, side="right")) - 1
        return parts[part].label(element - int(starts[part]))

    return Elements(
        np.concatenate([part.rule for part in parts]),
        np.concatenate([part.fingerprint for part in parts]),
        np.concatenate([part.value for part in parts]),
        label,
    )
