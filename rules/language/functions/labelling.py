"""Functions that change label sets or order by them. In: a vector, literal strings. Out: a vector.

What changes label sets leaves it to the caller to settle the result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cmp_to_key

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from alertsite.core.samples import Bools
from rules.language.checks import compile_replacement
from rules.language.frames import Vector
from rules.language.rows import Rows

_REFERENCE = re.compile(r"\$(?:\$|(?P<plain>\w+)|\{(?P<braced>\w+)\})", re.ASCII)
_RUNS = re.compile(r"\d+|\D+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Replacement:
    """Set label `target` to `template` where label `source` matches; `$1` and `${name}` are its groups."""

    target: str
    template: str
    source: str
    pattern: str

    def label_sets(self, label_sets: Sequence[LabelSet]) -> list[LabelSet]:
        """The label sets after replacement; those that do not match are the same objects."""
        regex = compile_replacement(self.pattern)
        made: dict[str, str | None] = {}
        changed = []
        for labels in label_sets:
            value = _value(labels, self.source)
            if value not in made:
                found = regex.match(value)
                groups = () if found is None else (found.group(), *found.groups())
                made[value] = _expand(self.template, groups, dict(regex.groupindex)) if groups else None
            changed.append(_with_label(labels, self.target, made[value]))
        return changed


def label_replace(vector: Vector, replacement: Replacement) -> Vector:
    """The vector with a label replaced."""

    def make() -> Rows:
        return _relabelled(vector.rows, replacement.label_sets(vector.rows.label_sets), replacement.target)

    return Vector(vector.rows.memo(replacement, make), vector.values, vector.present)


def _expand(template: str, groups: tuple[str | None, ...], names: dict[str, int]) -> str:
    """Go's expansion: `$name` takes the longest run of word characters, an unknown group is empty."""

    def group(match: re.Match[str]) -> str:
        """What one reference of the template stands for."""
        reference = match["plain"] or match["braced"]
        if reference is None:
            return "$"
        index = int(reference) if reference.isdigit() else names.get(reference, len(groups))
        return (groups[index] if index < len(groups) else "") or ""

    return _REFERENCE.sub(group, template)


def label_join(vector: Vector, target: str, separator: str, sources: tuple[str, ...]) -> Vector:
    """The vector with label `target` set to the joined values of the `sources`."""

    def make() -> list[LabelSet]:
        return [
            _with_label(labels, target, separator.join(_value(labels, source) for source in sources))
            for labels in vector.rows.label_sets
        ]

    key = ("label_join", target, separator, sources)
    rows = vector.rows.memo(key, lambda: _relabelled(vector.rows, make(), target))
    return Vector(rows, vector.values, vector.present)


def _value(labels: LabelSet, name: str) -> str:
    return next((value for key, value in labels if key == name), "")


def _with_label(labels: LabelSet, name: str, value: str | None) -> LabelSet:
    if value is None:
        return labels
    return label_set([*(pair for pair in labels if pair[0] != name), (name, value)])


def _relabelled(rows: Rows, label_sets: list[LabelSet], target: str) -> Rows:
    """Rows with other label sets; where these got a metric name of their own, it stays."""
    if target != METRIC_NAME:
        return rows.relabelled(lambda: label_sets)
    before = rows.label_sets
    renamed: Bools = np.array([a is not b for a, b in zip(before, label_sets, strict=True)], np.bool_)
    return Rows(rows.owners, lambda: label_sets, drops=rows.drops & ~renamed)


def sorted_by_value(vector: Vector, *, descending: bool) -> Vector:
    """Elements in order of value, NaN last."""
    values = vector.values[:, 0]
    key = -values if descending else values
    return Vector(vector.rows, vector.values, vector.present, np.lexsort((key, np.isnan(values))))


def sorted_by_label(vector: Vector, names: tuple[str, ...], *, descending: bool) -> Vector:
    """Elements in natural order of these labels, then of all."""
    label_sets = vector.rows.label_sets

    def compare(one: int, other: int) -> int:
        """The order of two label sets: by the names, then as a whole."""
        for name in names:
            difference = _natural_order(_value(label_sets[one], name), _value(label_sets[other], name))
            if difference:
                return difference
        return -1 if label_sets[one] < label_sets[other] else 1

    order = sorted(range(len(label_sets)), key=cmp_to_key(compare), reverse=descending)
    return Vector(vector.rows, vector.values, vector.present, np.array(order, np.int64))


def _natural_order(one: str, other: str) -> int:
    """Less than, equal to or greater than zero. Runs of digits are numbers: `x2` comes before `x10`."""
    if one == other:
        return 0
    for left, right in zip(_RUNS.findall(one), _RUNS.findall(other), strict=False):
        if left.isdigit() and right.isdigit():
            if int(left) != int(right):
                return int(left) - int(right)
        elif left != right:
            return -1 if left < right else 1
    return -1 if len(one) < len(other) else 1
