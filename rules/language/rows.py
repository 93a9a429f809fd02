"""Who the rows of a frame are: to which rule each belongs, and its label set.

Rows depend on which series a selector found, not on their samples. So they live as long as the generation of
the store, remember what was derived from them (`memo`), and a tick does arithmetic alone. Label sets are made
when something asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet
from alertsite.core.samples import Bools, Ints

METADATA_LABELS = frozenset({METRIC_NAME, "__type__", "__unit__"})
"""What goes when a result is no longer the metric it came from."""

_MEMO_SIZE = 32
"""More than any plan derives from one set of rows. Rows that depend on values come anew each tick; what was
derived together with them must not pile up."""
_Derived = TypeVar("_Derived")


class Rows:
    """Rows of several rules side by side.

    Attributes
    ----------
    owners
        Shape (n,). Which rule of the batch each row belongs to.
    drops
        Shape (n,). Whether the row's metadata labels go at the end: a rate is no longer its metric, though
        `label_replace` may still ask for the name.
    distinct
        Known: no two rows of a rule have equal label sets.
    one_metric
        Known: all rows of a rule have the same metric name, so that dropping it makes no two rows equal.
    """

    __slots__ = ("_label_sets", "_make", "_memo", "distinct", "drops", "one_metric", "owners")

    def __init__(
        self,
        owners: Ints,
        make: Callable[[], Sequence[LabelSet]],
        *,
        drops: Bools | None = None,
        distinct: bool = False,
        one_metric: bool = False,
    ) -> None:
        self.owners = owners
        self.drops = np.zeros(len(owners), np.bool_) if drops is None else drops
        self.distinct = distinct
        self.one_metric = one_metric
        self._make = make
        self._label_sets: Sequence[LabelSet] | None = None
        self._memo: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def label_sets(self) -> Sequence[LabelSet]:
        """Shape (n,). Label sets with the metric name still in them."""
        if self._label_sets is None:
            self._label_sets = self._make()
        return self._label_sets

    def final_labels(self, row: int) -> LabelSet:
        """The label set of a row as the result shows it."""
        labels = self.label_sets[row]
        return without_metadata(labels) if self.drops[row] else labels

    def memo(self, key: Hashable, make: Callable[[], _Derived]) -> _Derived:
        """What `make` made for this key the first time, or since so much was made that all was forgotten."""
        if key not in self._memo:
            if len(self._memo) >= _MEMO_SIZE:
                self._memo.clear()
            self._memo[key] = make()
        derived: _Derived = self._memo[key]
        return derived

    def dropped(self) -> Rows:
        """The same rows, whose metric names go at the end."""

        def derive() -> Rows:
            """The same rows, to lose their names."""
            return Rows(
                self.owners,
                lambda: self.label_sets,
                drops=np.ones(len(self), np.bool_),
                distinct=self.distinct,
                one_metric=self.one_metric,
            )

        return self.memo("dropped", derive)

    def without_names(self) -> Rows:
        """The same rows, whose metric names are gone now: arithmetic between vectors drops them at once."""

        def derive() -> Rows:
            """The same rows without names."""
            return self.relabelled(
                lambda: [without_metadata(labels) for labels in self.label_sets],
                distinct=self.distinct and self.one_metric,
                one_metric=True,
            )

        return self.memo("without_names", derive)

    def relabelled(
        self, make: Callable[[], Sequence[LabelSet]], *, distinct: bool = False, one_metric: bool = False
    ) -> Rows:
        """The same rows with other label sets."""
        return Rows(self.owners, make, drops=self.drops, distinct=distinct, one_metric=one_metric)

    def taken(self, positions: Ints) -> Rows:
        """The rows at these positions; none may be asked for twice."""

        def make() -> Sequence[LabelSet]:
            label_sets = self.label_sets
            return [label_sets[position] for position in positions.tolist()]

        return Rows(
            self.owners[positions],
            make,
            drops=self.drops[positions],
            distinct=self.distinct,
            one_metric=self.one_metric,
        )

    def equals(self, *, final: bool) -> tuple[Ints, Rows] | None:
        """Which rows of a rule have equal label sets: shape (n,) of group numbers, and a row a group.

        None if all differ. `final` compares label sets as the result shows them.
        """
        if self.distinct and (self.one_metric or not final or not self.drops.any()):
            return None
        return self.memo(("equals", final), lambda: self._find_equals(final=final))

    def _find_equals(self, *, final: bool) -> tuple[Ints, Rows] | None:
        # Rows that will lose their name and rows that keep it are told apart until the name is gone.
        label_sets = [self.final_labels(row) for row in range(len(self))] if final else self.label_sets
        drops = np.zeros(len(self), np.bool_) if final else self.drops
        seen: dict[tuple[int, LabelSet, bool], int] = {}
        keys = zip(self.owners.tolist(), label_sets, drops.tolist(), strict=True)
        groups = [seen.setdefault(key, len(seen)) for key in keys]
        if len(seen) == len(groups):
            return None
        numbers = np.array(groups, np.int64)
        _, first = np.unique(numbers, return_index=True)
        merged = self.taken(first)
        merged.distinct = len(np.unique(drops)) == 1
        return numbers, merged


def without_metadata(labels: LabelSet) -> LabelSet:
    """The label set without metric name, type and unit."""
    return tuple(pair for pair in labels if pair[0] not in METADATA_LABELS)


def concatenated(parts: Sequence[Rows], *, distinct: bool = False) -> Rows:
    """Rows of several frames one after the other."""

    def make() -> Sequence[LabelSet]:
        return [labels for part in parts for labels in part.label_sets]

    return Rows(
        np.concatenate([part.owners for part in parts]),
        make,
        drops=np.concatenate([part.drops for part in parts]),
        distinct=distinct,
    )


def one_row_a_rule(count: int) -> Rows:
    """One row without labels for each rule."""
    return Rows(np.arange(count), lambda: [()] * count, distinct=True, one_metric=True)
