"""Which series the selectors of a batch of rules find. In: matchers and a reader. Out: numbers and rows.

Valid for one generation of the store; `rebind` carries it to the next at a cost in proportion to the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Change:
    """What became of the store's series from one generation to the next."""

    arrived: Sequence[Mapping[str, str]]
    """Labels of the series that are new."""
    gone: Ints
    """Numbers of the series that are no more, ascending."""

    @classmethod
    def between(cls, before: Ints, now: Ints, reader: FindsSeries) -> Change:
        """The change from one ascending array of all numbers to another."""
        arrived = np.setdiff1d(now, before, assume_unique=True)
        gone = np.setdiff1d(before, now, assume_unique=True)
        return cls([dict(labels) for labels in reader.labels(arrived)], gone)

    def touches(self, matchers: Matchers) -> bool:
        """Whether a series that is new satisfies these matchers."""
        return any(
            all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)
            for labels in self.arrived
        )


def touched_rules(binding: Binding, selectors: Sequence[Sequence[Matchers]], change: Change) -> set[int]:
    """Rules of which a selector may find other series than before."""
    names = {labels.get(METRIC_NAME, "") for labels in change.arrived}
    owners: set[int] = set()
    for rows, numbers, of_slot in zip(binding.rows, binding.numbers, selectors, strict=True):
        if len(change.gone):
            owners.update(rows.owners[np.isin(numbers, change.gone)].tolist())
        if names:
            # The parser puts equality on the metric name first, so nearly all selectors are passed over here.
            owners.update(
                owner
                for owner, matchers in enumerate(of_slot)
                if (matchers[0].value in names or not _has_name(matchers[:1])) and change.touches(matchers)
            )
    return owners


def rebind(
    binding: Binding,
    selectors: Sequence[Sequence[Matchers]],
    touched: set[int],
    reader: FindsSeries,
    max_series: int,
) -> Binding:
    """The binding with the selectors of the touched rules resolved anew, those of the others as they were."""
    order = sorted(touched)
    part = bind(
        [[of_slot[owner] for owner in order] for of_slot in selectors], len(order), reader, max_series
    )
    renamed = np.array(order, np.int64)
    failures = {owner: error for owner, error in binding.failures.items() if owner not in touched}
    failures.update({order[owner]: error for owner, error in part.failures.items()})
    result = Binding([], [], binding.singles, failures)
    for slot, rows in enumerate(binding.rows):
        kept = ~np.isin(rows.owners, renamed)
        owners = np.concatenate([rows.owners[kept], renamed[part.rows[slot].owners]])
        numbers = np.concatenate([binding.numbers[slot][kept], part.numbers[slot]])
        by_owner = np.argsort(owners, kind="stable")
        result.numbers.append(numbers[by_owner])
        result.rows.append(_series_rows(owners[by_owner], numbers[by_owner], reader, named=rows.one_metric))
    return result
