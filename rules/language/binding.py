"""Which series the selectors of a batch of rules find. In: matchers and a reader. Out: numbers and rows.

Valid for one generation of the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, MatchOp
from alertsite.core.samples import Ints
from rules.language.errors import QueryTooExpensive
from rules.language.plan import Matchers
from rules.language.reading import Demand, Request
from rules.language.rows import Rows, one_row_a_rule


class FindsSeries(Protocol):
    """The part of a reader that resolves selectors."""

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher."""

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series."""


@dataclass(slots=True)
class Binding:
    """Series by slot: their numbers and rows, of all rules one after the other.

    `singles` has a row without labels for each rule, `failures` the rules that found too many.
    """

    numbers: list[Ints]
    rows: list[Rows]
    singles: Rows
    failures: dict[int, PlatformError] = field(default_factory=dict)

    def requests(self, needed: Iterable[Demand]) -> list[Request]:
        """A request for each slot, in order of slots."""
        by_slot = sorted(needed, key=lambda demand: demand.slot)
        return [Request(demand, self.numbers[demand.slot], self.rows[demand.slot]) for demand in by_slot]


def bind(
    selectors: Sequence[Sequence[Matchers]], count: int, reader: FindsSeries, max_series: int
) -> Binding:
    """Resolve the selectors of `count` rules. A rule that finds more than `max_series` gets none.

    Parameters
    ----------
    selectors
        For each slot the matchers of each rule.
    """
    known: dict[Matchers, Ints] = {}
    found = [[_selected(matchers, reader, known) for matchers in of_slot] for of_slot in selectors]
    sizes = np.array([[len(part) for part in parts] for parts in found], np.int64).reshape(len(found), count)
    failures: dict[int, PlatformError] = {}
    for owner in np.flatnonzero(sizes.sum(axis=0) > max_series).tolist():
        wanted = int(sizes[:, owner].sum())
        failures[owner] = QueryTooExpensive(what="series", wanted=wanted, limit=max_series)
        sizes[:, owner] = 0
        for parts in found:
            parts[owner] = np.empty(0, np.int64)
    binding = Binding([], [], one_row_a_rule(count), failures)
    for of_slot, parts, counts in zip(selectors, found, sizes, strict=True):
        numbers = np.concatenate(parts)
        owners = np.repeat(np.arange(count), counts)
        binding.numbers.append(numbers)
        binding.rows.append(_series_rows(owners, numbers, reader, named=all(map(_has_name, of_slot))))
    return binding


def _selected(matchers: Matchers, reader: FindsSeries, known: dict[Matchers, Ints]) -> Ints:
    if matchers not in known:
        known[matchers] = reader.select(matchers)
    return known[matchers]


def _has_name(matchers: Matchers) -> bool:
    return any(matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL for matcher in matchers)


def _series_rows(owners: Ints, numbers: Ints, reader: FindsSeries, *, named: bool) -> Rows:
    def make() -> Sequence[LabelSet]:
        return reader.labels(numbers)

    return Rows(owners, make, distinct=True, one_metric=named)
