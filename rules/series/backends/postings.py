"""An inverted index over label sets: (label, value) -> sorted numbers.

A selector is an intersection of arrays. Numbers are added in ascending order. A regular expression is tried
once a distinct value, not once a series.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from alertsite.core.labels import LabelSet, Matcher, MatchOp
from alertsite.core.samples import Bools, Ints

_FEW = 64
"""Up to this many candidates are cheaper to test one by one than to intersect."""
_MOST_REMEMBERED = 10_000

_NONE: Ints = np.empty(0, np.int64)


class Postings:
    """The label sets of numbered series and which of them satisfy given matchers."""

    def __init__(self) -> None:
        self.labels: dict[int, LabelSet] = {}
        self._by_label: dict[str, dict[str, list[int]]] = {}
        self._arrays: dict[tuple[str, str], Ints] = {}
        self._matched: dict[Matcher, Ints] = {}
        self._all: Ints = _NONE

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, entries: Iterable[tuple[int, LabelSet]]) -> None:
        """Index more series, numbers ascending and above those that are in."""
        for number, labels in entries:
            self.labels[number] = labels
            for name, value in labels:
                self._by_label.setdefault(name, {}).setdefault(value, []).append(number)
        self._arrays.clear()
        self._matched.clear()
        self._all = np.fromiter(self.labels, np.int64, len(self.labels))

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        """Sorted numbers, shape (k,), of the series that satisfy every matcher."""
        exact = [(m.name, m.value) for m in matchers if m.op is MatchOp.EQUAL and m.value]
        others = [m for m in matchers if not (m.op is MatchOp.EQUAL and m.value)]
        found = self._all
        if exact:
            exact.sort(key=self._count)
            if self._count(exact[0]) <= _FEW:
                return self._select_few(exact, others)
            found = self._numbers(exact[0])
            for pair in exact[1:]:
                found = found[_contained(found, self._numbers(pair))]
        for matcher in others:
            accepts_absence = matcher.matches("")
            listed = _contained(found, self._listed(matcher, accepted=not accepts_absence))
            found = found[~listed if accepts_absence else listed]
        return found

    def _select_few(self, exact: Sequence[tuple[str, str]], others: Sequence[Matcher]) -> Ints:
        """As `select`, one by one: the rarest pair comes first."""
        kept = [
            number
            for number in self._list(exact[0])
            if all(pair in self.labels[number] for pair in exact[1:])
            and _satisfies(self.labels[number], others)
        ]
        return np.array(kept, np.int64)

    def _list(self, pair: tuple[str, str]) -> Sequence[int]:
        return self._by_label.get(pair[0], {}).get(pair[1], ())

    def _count(self, pair: tuple[str, str]) -> int:
        return len(self._list(pair))

    def _listed(self, matcher: Matcher, *, accepted: bool) -> Ints:
        """Numbers of the series that have the label with a value that the matcher accepts, or refuses."""
        if matcher not in self._matched:
            values = self._by_label.get(matcher.name, {})
            lists = [numbers for value, numbers in values.items() if matcher.matches(value) is accepted]
            if len(self._matched) >= _MOST_REMEMBERED:
                self._matched.clear()
            self._matched[matcher] = np.array(sorted(chain.from_iterable(lists)), np.int64)
        return self._matched[matcher]

    def _numbers(self, pair: tuple[str, str]) -> Ints:
        if pair not in self._arrays:
            self._arrays[pair] = np.array(self._list(pair), np.int64)
        return self._arrays[pair]


def _satisfies(labels: LabelSet, matchers: Sequence[Matcher]) -> bool:
    return all(matcher.matches(dict(labels).get(matcher.name, "")) for matcher in matchers)


def _contained(candidates: Ints, array: Ints) -> Bools:
    """Shape of `candidates`, true where the number is in the sorted array."""
    if not len(array):
        return np.zeros(len(candidates), np.bool_)
    places = np.searchsorted(array, candidates)
    found: Bools = array[np.minimum(places, len(array) - 1)] == candidates
    return found
