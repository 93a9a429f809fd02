"""Which elements of two vectors belong together. In: rows of both sides. Out: their match groups.

Signatures depend on label sets alone, so they are made once a generation and remembered by the left rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet
from alertsite.core.samples import Bools, Ints
from rules.language.rows import Rows, without_metadata
from rules.language.syntax import Matching


@dataclass(frozen=True, slots=True)
class Signatures:
    """Match groups of two sides.

    Attributes
    ----------
    left, right
        Shape (n,) and (m,). Number of the group each row is in.
    count
        How many groups there are.
    right_row
        Shape (count,). The one row of the right side, -1 for none, or None if a group has several.
    left_unique
        Whether no group has several rows of the left side.
    """

    left: Ints
    right: Ints
    count: int
    right_row: Ints | None
    left_unique: bool


def signatures(left: Rows, right: Rows, matching: Matching) -> Signatures:
    """The match groups of two sides, by rule and matching labels."""
    # The right rows are part of the key and so kept alive: an identity is never reused.
    return left.memo((right, matching.on, matching.labels), lambda: _make_signatures(left, right, matching))


def _make_signatures(left: Rows, right: Rows, matching: Matching) -> Signatures:
    seen: dict[tuple[int, LabelSet], int] = {}
    sides = []
    for rows in (left, right):
        keys = match_keys(rows, matching)
        sides.append(np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64))
    right_row: Ints | None = None
    if len(np.unique(sides[1])) == len(right):
        right_row = np.full(len(seen), -1, np.int64)
        right_row[sides[1]] = np.arange(len(right))
    left_unique = len(np.unique(sides[0])) == len(left)
    return Signatures(sides[0], sides[1], len(seen), right_row, left_unique)


def match_keys(rows: Rows, matching: Matching) -> list[tuple[int, LabelSet]]:
    """For each row its rule and the labels it is matched by."""
    owners = rows.owners.tolist()
    if matching.on and not matching.labels:
        return [(owner, ()) for owner in owners]
    keep = kept_labels(matching)
    return [(owner, keep(labels)) for owner, labels in zip(owners, rows.label_sets, strict=True)]


def kept_labels(matching: Matching) -> Callable[[LabelSet], LabelSet]:
    """What picks the matching labels of a label set. The metric name counts with `on (__name__)` only."""
    chosen = frozenset(matching.labels)
    if matching.on:
        return lambda labels: tuple(pair for pair in labels if pair[0] in chosen)
    left_out = chosen | {METRIC_NAME}
    return lambda labels: tuple(pair for pair in labels if pair[0] not in left_out)


def group_presence(groups: Ints, present: Bools, count: int) -> Ints:
    """Shape (count, t). How many rows of each group are present at each step."""
    found = np.zeros((count, present.shape[1]), np.int64)
    np.add.at(found, groups, present)
    return found


def result_labels(matching: Matching, *, keeps_name: bool) -> Callable[[LabelSet, LabelSet], LabelSet]:
    """What makes the result's label set from those of the many side and the one side."""
    chosen, included = frozenset(matching.labels), frozenset(matching.include)

    def of_one_to_one(many: LabelSet, _: LabelSet) -> LabelSet:
        labels = many if keeps_name else without_metadata(many)
        return tuple(pair for pair in labels if (pair[0] in chosen) == matching.on)

    def of_many_to_one(many: LabelSet, one: LabelSet) -> LabelSet:
        """Labels of the many side, with those that the one side brings."""
        labels = many if keeps_name else without_metadata(many)
        if not included:
            return labels
        own = [pair for pair in labels if pair[0] not in included]
        return tuple(sorted([*own, *(pair for pair in one if pair[0] in included)]))

    return of_one_to_one if matching.many is None else of_many_to_one
