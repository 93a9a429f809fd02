"""A store of a few series, written in the notation of rule authors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, label_set
from alertsite.core.samples import Columns, Ints
from rules.language.parser import parse
from rules.language.syntax import Selector
from rules.series.backends.memory import MemorySeries
from tests.conformance.cases import WIDE, append, expand


def labels_of(text: str) -> LabelSet:
    """The label set of `name{a="b"}`."""
    tree = parse(text) if text != "{}" else None
    assert tree is None or isinstance(tree, Selector)
    return label_set((matcher.name, matcher.value) for matcher in (tree.matchers if tree else ()))


def store_of(load: Mapping[str, str], *, step_ms: int = 60_000) -> MemorySeries:
    """A store with these series, the first sample of each at time zero."""
    store = MemorySeries(WIDE)
    for selector, notation in load.items():
        append(store, labels_of(selector), expand(notation), (0, step_ms))
    return store


class CountingReader:
    """A reader that notes what is asked of it. `store` may be replaced, series may be `hidden`."""

    def __init__(self, store: MemorySeries) -> None:
        self.store = store
        self.hidden: set[int] = set()
        self.selected: list[str] = []
        self.reads: list[tuple[list[int], int, int]] = []

    def generation(self) -> int:
        return self.store.generation() + 1000 * len(self.hidden)

    def select(self, matchers: Sequence[Matcher]) -> Ints:
        self.selected.append(next((m.value for m in matchers if m.name == METRIC_NAME), ""))
        found = self.store.select(matchers)
        return found[~np.isin(found, list(self.hidden))]

    def labels(self, numbers: Ints) -> Sequence[LabelSet]:
        return self.store.labels(numbers)

    def read(self, numbers: Ints, start_ms: int, end_ms: int) -> Columns:
        self.reads.append((numbers.tolist(), start_ms, end_ms))
        assert len(np.unique(numbers)) == len(numbers)
        return self.store.read(numbers, start_ms, end_ms)
