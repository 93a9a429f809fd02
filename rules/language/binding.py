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
from rules.language.rows import Rows


class FindsSeries(Protocol):
    """The part of a reader that resolves selectors."""

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers of the series that satisfy every matcher."""

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        """Label sets of these series."""


@dataclass(slots=True)
class Binding:
    """Series by slot: numbers and rows, of all rules one after the other. `failures`: rules that found too many."""

    numbers: list[Ints]
    rows: list[Rows]
    failures: dict[int, PlatformError] = field(default_factory=dict)

    def requests(self, needed: Iterable[Demand]) -> list[Request]:
        """A request for each slot, in order of slots."""
        by_slot = sorted(needed, key=lambda demand: demand.slot)
        return [Request(demand, self.numbers[demand.slot], self.rows[demand.slot]) for demand in by_slot]


def bind(selectors: Sequence[tuple[Matchers, ...]], reader: FindsSeries, max_series: int) -> Binding:
    """Resolve the selectors of each rule. A rule that finds more than `max_series` gets none, and an error."""
    known: dict[Matchers, Ints] = {}
    failures: dict[int, PlatformError] = {}
    slots = len(selectors[0]) if selectors else 0
    found: list[list[Ints]] = [[] for _ in range(slots)]
    for owner, of_rule in enumerate(selectors):
        series = [_selected(matchers, reader, known) for matchers in of_rule]
        count = sum(map(len, series))
        if count > max_series:
            failures[owner] = QueryTooExpensive(what="series", wanted=count, limit=max_series)
            series = [np.empty(0, np.int64)] * slots
        for slot, numbers in enumerate(series):
            found[slot].append(numbers)
    binding = Binding([], [], failures)
    for slot, parts in enumerate(found):
        numbers = np.concatenate(parts)
        owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        named = all(_has_name(of_rule[slot]) for of_rule in selectors)
        binding.numbers.append(numbers)
        binding.rows.append(_series_rows(owners, numbers, reader, named=named))
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
