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
        exact = [matcher for matcher in matchers if matcher.op is MatchOp.EQUAL and matcher.value]
        others = [matcher for matcher in matchers if not (matcher.op is MatchOp.EQUAL and matcher.value)]
        found = self._all
        if exact:
            arrays = sorted((self._numbers(matcher.name, matcher.value) for matcher in exact), key=len)
            found = arrays[0]
            for array in arrays[1:]:
                found = found[_contained(found, array)]
        for matcher in others:
            found = self._narrow(found, matcher)
        return found

    def _narrow(self, candidates: Ints, matcher: Matcher) -> Ints:
        if len(candidates) <= _FEW:
            label_sets = [dict(self.labels[number]) for number in candidates.tolist()]
            kept = [matcher.matches(labels.get(matcher.name, "")) for labels in label_sets]
            return candidates[np.array(kept, np.bool_)]
        accepts_absence = matcher.matches("")
        listed = _contained(candidates, self._listed(matcher, accepted=not accepts_absence))
        return candidates[~listed if accepts_absence else listed]

    def _listed(self, matcher: Matcher, *, accepted: bool) -> Ints:
        """Numbers of the series that have the label with a value that the matcher accepts, or refuses."""
        if matcher not in self._matched:
            values = self._by_label.get(matcher.name, {})
            lists = [numbers for value, numbers in values.items() if matcher.matches(value) is accepted]
            if len(self._matched) >= _MOST_REMEMBERED:
                self._matched.clear()
            self._matched[matcher] = np.array(sorted(chain.from_iterable(lists)), np.int64)
        return self._matched[matcher]

    def _numbers(self, name: str, value: str) -> Ints:
        array = self._arrays.get((name, value))
        if array is None:
            array = np.array(self._by_label.get(name, {}).get(value, ()), np.int64)
            if len(array) > _FEW:
                self._arrays[name, value] = array
        return array


def _contained(candidates: Ints, array: Ints) -> Bools:
    """Shape of `candidates`, true where the number is in the sorted array."""
    if not len(array):
        return np.zeros(len(candidates), np.bool_)
    places = np.searchsorted(array, candidates)
    found: Bools = array[np.minimum(places, len(array) - 1)] == candidates
    return found
