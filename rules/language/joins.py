"""Binary operations between two vectors. In: both sides and how they match. Out: one vector.

Refused, for the rule it happens in: several elements on a side that must be unique, and results that would
have equal label sets. In what follows `many` is the side that may have several elements a match and `one` the
other; one-to-one matching takes the left side for `many`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.labels import LabelSet, format_labels
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.errors import QueryTooExpensive
from rules.language.frames import SAME_LABELS, Run, Vector, settled
from rules.language.matching import (
    Signatures,
    group_presence,
    kept_labels,
    result_labels,
    signatures,
)
from rules.language.operators import ARITHMETIC, COMPARE
from rules.language.rows import Rows, concatenated
from rules.language.syntax import COMPARISONS, Binary, Matching

_EXPLICIT = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


def set_operation(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """`and`, `or`, `unless`. The result of `or` still has to be settled: elements may take turns."""
    groups = signatures(left.rows, right.rows, matching)
    if op == "or":
        met = group_presence(groups.left, left.present, groups.count) > 0
        rows = left.rows.memo(("or", right.rows), lambda: concatenated([left.rows, right.rows]))
        present = np.concatenate([left.present, right.present & ~met[groups.right]])
        return Vector(rows, np.concatenate([left.values, right.values]), present)
    met = group_presence(groups.right, right.present, groups.count) > 0
    stays = met[groups.left] if op == "and" else ~met[groups.left]
    return Vector(left.rows, left.values, left.present & stays, left.order)


def join(operation: Binary, left: Vector, right: Vector, run: Run) -> Vector:
    """Arithmetic or comparison between vectors, with all that `on`, `group_left` and `fill` ask for."""
    matching = operation.matching
    assert matching is not None
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    groups = signatures(many.rows, one.rows, matching)
    if groups.right_row is None:
        _refuse_several(many, one, groups, operation, run)
    parts = [_met(operation, many, one, groups, run), *_filled(operation, many, one, groups)]
    pairs = parts[0] if len(parts) == 1 else _Pairs.appended(parts)
    if matching.many is None and not groups.left_unique:
        most = group_presence(pairs.group, pairs.present, groups.count).max(axis=1, initial=0)
        run.fail_all(pairs.rows.owners[most[pairs.group] > 1], _EXPLICIT)
    vector = _computed(operation, pairs, swapped=swapped)
    _refuse_equal_results(pairs, matching, run)
    return settled(vector, run)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Elements that meet, or that meet a fill value.

    `group` is the match group of each row.
    """

    rows: Rows
    group: Ints
    many: Floats
    one: Floats
    present: Bools

    @classmethod
    def appended(cls, parts: Sequence[_Pairs]) -> _Pairs:
        """All pairs one after the other."""
        rows = [part.rows for part in parts]
        return cls(
            rows[0].memo(("appended", *rows), lambda: concatenated(rows)),
            np.concatenate([part.group for part in parts]),
            np.concatenate([part.many for part in parts]),
            np.concatenate([part.one for part in parts]),
            np.concatenate([part.present for part in parts]),
        )


def _met(operation: Binary, many: Vector, one: Vector, groups: Signatures, run: Run) -> _Pairs:
    """Elements of both sides in the same match group."""
    matching = operation.matching
    assert matching is not None
    keeps_name = operation.op in COMPARISONS

    def make() -> tuple[Ints, Ints, Rows]:
        many_at, one_at = _meeting(groups, run)
        return many_at, one_at, _result_rows((many.rows, many_at), (one.rows, one_at), groups, operation)

    key = ("met", one.rows, matching, keeps_name, operation.return_bool)
    many_at, one_at, rows = many.rows.memo(key, make)
    present = many.present[many_at] & one.present[one_at]
    return _Pairs(rows, groups.left[many_at], many.values[many_at], one.values[one_at], present)


def _meeting(groups: Signatures, run: Run) -> tuple[Ints, Ints]:
    """All pairs of rows in one match group, as positions on both sides."""
    if groups.right_row is not None:
        partner = groups.right_row[groups.left]
        many_at = np.flatnonzero(partner >= 0)
        return many_at, partner[many_at]
    by_group = np.argsort(groups.right, kind="stable")
    sizes = np.bincount(groups.right, minlength=groups.count)
    first = np.cumsum(sizes) - sizes
    repeats = sizes[groups.left]
    total = int(repeats.sum())
    if total > run.limits.max_samples:
        raise QueryTooExpensive(what="matching pairs", wanted=total, limit=run.limits.max_samples)
    many_at = np.repeat(np.arange(len(groups.left)), repeats)
    within = np.arange(total) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return many_at, by_group[first[groups.left][many_at] + within]


def _result_rows(
    many: tuple[Rows, Ints], one: tuple[Rows, Ints], groups: Signatures, operation: Binary
) -> Rows:
    """Rows of the result, whose label sets come from the many side, changed as the operation says."""
    (many_rows, many_at), (one_rows, one_at) = many, one
    matching, keeps_name = operation.matching, operation.op in COMPARISONS
    assert matching is not None
    label = result_labels(matching, keeps_name=keeps_name)

    def make() -> Sequence[LabelSet]:
        lefts, rights = many_rows.label_sets, one_rows.label_sets
        return [label(lefts[i], rights[j]) for i, j in zip(many_at.tolist(), one_at.tolist(), strict=True)]

    if matching.many is None:
        distinct = groups.right_row is not None and groups.left_unique and not matching.on
    else:
        distinct = groups.right_row is not None and many_rows.distinct and not matching.include
        distinct = distinct and (keeps_name or many_rows.one_metric)
    drops = many_rows.drops[many_at] if keeps_name else np.zeros(len(many_at), np.bool_)
    return Rows(
        many_rows.owners[many_at],
        make,
        drops=np.ones(len(many_at), np.bool_) if operation.return_bool else drops,
        distinct=distinct,
        one_metric=many_rows.one_metric or not keeps_name,
    )


def _filled(operation: Binary, many: Vector, one: Vector, groups: Signatures) -> list[_Pairs]:
    """Elements that meet none, paired with the value that stands for the missing side.

    As in Prometheus, `fill_left` stands for the many side, also where `group_right` makes that the right one.
    """
    matching = operation.matching
    assert matching is not None
    parts: list[_Pairs] = []
    if matching.fill_right is not None:
        alone = ~(group_presence(groups.right, one.present, groups.count) > 0)[groups.left]
        rows = _filled_rows(many.rows, operation, has_many=True)
        filler = np.full_like(many.values, matching.fill_right)
        parts.append(_Pairs(rows, groups.left, many.values, filler, many.present & alone))
    if matching.fill_left is not None:
        alone = ~(group_presence(groups.left, many.present, groups.count) > 0)[groups.right]
        rows = _filled_rows(one.rows, operation, has_many=False)
        filler = np.full_like(one.values, matching.fill_left)
        parts.append(_Pairs(rows, groups.right, filler, one.values, one.present & alone))
    return parts


def _filled_rows(rows: Rows, operation: Binary, *, has_many: bool) -> Rows:
    """Rows of the result where one side is missing: it has the matching labels of the other."""
    matching = operation.matching
    assert matching is not None
    keep = kept_labels(matching)
    label = result_labels(matching, keeps_name=operation.op in COMPARISONS)

    def make() -> Sequence[LabelSet]:
        if has_many:
            return [label(labels, keep(labels)) for labels in rows.label_sets]
        return [label(keep(labels), labels) for labels in rows.label_sets]

    def derive() -> Rows:
        made = rows.relabelled(make)
        return made.dropped() if operation.return_bool else made

    return rows.memo(
        ("filled", matching, operation.op in COMPARISONS, operation.return_bool, has_many), derive
    )


def _computed(operation: Binary, pairs: _Pairs, *, swapped: bool) -> Vector:
    left, right = (pairs.one, pairs.many) if swapped else (pairs.many, pairs.one)
    if operation.op not in COMPARISONS:
        return Vector(pairs.rows, ARITHMETIC[operation.op](left, right), pairs.present)
    holds = COMPARE[operation.op](left, right)
    if operation.return_bool:
        return Vector(pairs.rows, holds.astype(np.float64), pairs.present)
    return Vector(pairs.rows, left, pairs.present & holds)


def _refuse_several(many: Vector, one: Vector, groups: Signatures, operation: Binary, run: Run) -> None:
    """Fail rules that have several elements of the one side in a match group, at a step with both sides."""
    matching = operation.matching
    assert matching is not None
    busy = group_presence(many.rows.owners, many.present, run.size) > 0
    if matching.fill_left is not None or matching.fill_right is not None:
        busy[:] = True
    owners = _owners_of_groups(one.rows, groups.right, groups.count)
    crowded = (group_presence(groups.right, one.present, groups.count) > 1) & busy[owners]
    for group in np.flatnonzero(crowded.any(axis=1)).tolist():
        step = int(np.argmax(crowded[group]))
        members = np.flatnonzero((groups.right == group) & one.present[:, step])[:2].tolist()
        first, second = sorted(format_labels(one.rows.final_labels(row)) for row in members)
        group_labels = format_labels(kept_labels(matching)(one.rows.label_sets[members[0]]))
        side = "left" if matching.many == "right" else "right"
        run.fail(
            int(owners[group]),
            f"found duplicate series for the match group {group_labels} on the {side} hand-side of the "
            f"operation: [{first}, {second}];many-to-many matching not allowed: matching labels must be "
            "unique on one side",
        )


def _owners_of_groups(rows: Rows, groups: Ints, count: int) -> Ints:
    owners = np.zeros(count, np.int64)
    owners[groups] = rows.owners
    return owners


def _refuse_equal_results(pairs: _Pairs, matching: Matching, run: Run) -> None:
    """Fail rules that would have equal label sets among what meets, even if a comparison drops it then."""
    equals = pairs.rows.equals(final=False)
    if equals is None:
        return
    groups, merged = equals
    crowded = group_presence(groups, pairs.present, len(merged)) > 1
    run.fail_all(merged.owners[crowded.any(axis=1)], _UNIQUE if matching.many else SAME_LABELS)
