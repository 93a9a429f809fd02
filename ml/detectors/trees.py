"""Boosted trees as arrays: what was trained elsewhere is evaluated here without its library.

In: rows of features, trees packed into arrays. Out: the sum of the leaves each row reaches. Refused:
arrays that are no trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from alertsite.core.samples import Floats, Ints
from ml.detectors.protocol import ArrayModel, Arrays

Ints32 = npt.NDArray[np.int32]
Floats32 = npt.NDArray[np.float32]


@nb.njit(cache=True)
def leaf_sums(rows: Floats32, roots: Ints32, feature: Ints32, bound: Floats32, children: Ints32) -> Floats:
    """The sum over trees of the leaf each row falls into, shape (n_rows,).

    A node with `feature` -1 is a leaf whose value is its `bound`; otherwise a row goes to the first of
    its two `children` (the other follows it) if its feature is at most `bound`.
    """
    sums = np.zeros(len(rows))
    for row in range(len(rows)):
        total = 0.0
        for root in roots:
            node = root
            while feature[node] >= 0:
                node = children[node] + (0 if rows[row, feature[node]] <= bound[node] else 1)
            total += bound[node]
        sums[row] = total
    return sums


@dataclass(frozen=True)
class Trees(ArrayModel):
    """Nodes of all trees in one row of arrays, and the sum that a row without trees would have."""

    roots: Ints32
    feature: Ints32
    bound: Floats32
    children: Ints32
    start: float

    def __post_init__(self) -> None:
        nodes = len(self.feature)
        inner = self.children[self.feature >= 0]
        fits = len(self.bound) == len(self.children) == nodes
        if not fits or (len(inner) and not 0 < int(inner.min()) <= int(inner.max()) < nodes - 1):
            raise ValueError(f"arrays of {nodes} nodes are no trees")

    def margins(self, rows: Floats32) -> Floats:
        """The score of each row of shape (n_rows, n_features): log odds, for trees that classify."""
        return self.start + leaf_sums(rows, self.roots, self.feature, self.bound, self.children)


def pack_trees(trees: list[Arrays], start: float) -> Trees:
    """Trees of arrays `feature` (-1 in leaves), `bound` (a leaf's value), `left` and `right`, as one
    `Trees`.

    Nodes are laid out anew so that the second child follows the first.
    """
    roots: list[int] = []
    feature: list[int] = []
    bound: list[float] = []
    children: list[int] = []
    for tree in trees:
        base = len(feature)
        roots.append(base)
        order, places = _layout(tree["feature"], tree["left"], tree["right"])
        for node in order:
            is_leaf = tree["feature"][node] < 0
            feature.append(int(tree["feature"][node]))
            bound.append(float(tree["bound"][node]))
            children.append(0 if is_leaf else base + places[int(tree["left"][node])])
    return Trees(
        np.array(roots, np.int32),
        np.array(feature, np.int32),
        np.array(bound, np.float32),
        np.array(children, np.int32),
        start,
    )


def _layout(feature: Ints, left: Ints, right: Ints) -> tuple[list[int], dict[int, int]]:
    """Nodes in the order of breadth, siblings side by side, and the place of each."""
    order = [0]
    for node in order:
        if feature[node] >= 0:
            order.extend((int(left[node]), int(right[node])))
    return order, {node: place for place, node in enumerate(order)}
