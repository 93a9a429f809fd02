"""Aggregations: many rows to one a group, or the chosen rows of each group. In: a vector and its grouping.

Groups depend on label sets alone and are remembered by the rows; a tick does arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet
from alertsite.core.samples import Floats, Ints
from rules.language.frames import Run, Vector
from rules.language.kernels import groups as kernels
from rules.language.kernels.arrays import plain
from rules.language.rows import Rows
from rules.language.syntax import Aggregate


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of rows.

    Attributes
    ----------
    of_row
        Shape (n,). The group of each row; groups are numbered in order of their first rows.
    rows
        One row a group, without the labels that grouping takes away.
    """

    of_row: Ints
    rows: Rows

    def sorted_rows(self) -> tuple[Ints, Ints]:
        """Rows ordered by group, and where each group begins: shapes (n,) and (g + 1,)."""

        def make() -> tuple[Ints, Ints]:
            bounds = np.zeros(len(self.rows) + 1, np.int64)
            np.cumsum(np.bincount(self.of_row, minlength=len(self.rows)), out=bounds[1:])
            return np.argsort(self.of_row, kind="stable"), bounds

        return self.rows.memo("sorted", make)


def grouped(rows: Rows, grouping: tuple[str, ...], *, without: bool) -> Groups:
    """The groups that `by` or `without` makes of rows."""
    return rows.memo(("groups", grouping, without), lambda: _make_groups(rows, grouping, without=without))


def _make_groups(rows: Rows, grouping: tuple[str, ...], *, without: bool) -> Groups:
    if not grouping and not without:
        owners, first, of_row = np.unique(rows.owners, return_index=True, return_inverse=True)
        return Groups(of_row, _group_rows(rows, first, lambda: [()] * len(owners)))
    keep = group_labels(grouping, without=without)
    seen: dict[tuple[int, LabelSet], int] = {}
    first_rows: list[int] = []
    of_row = np.empty(len(rows), np.int64)
    for row, (owner, labels) in enumerate(zip(rows.owners.tolist(), rows.label_sets, strict=True)):
        group = seen.setdefault((owner, keep(labels)), len(seen))
        if group == len(first_rows):
            first_rows.append(row)
        of_row[row] = group
    label_sets = [labels for _, labels in seen]
    named = METRIC_NAME in grouping and not without
    return Groups(of_row, _group_rows(rows, np.array(first_rows, np.int64), lambda: label_sets, named=named))


def _group_rows(
    rows: Rows, first: Ints, make: Callable[[], Sequence[LabelSet]], *, named: bool = False
) -> Rows:
    return Rows(rows.owners[first], make, drops=rows.drops[first], distinct=True, one_metric=not named)


def group_labels(grouping: tuple[str, ...], *, without: bool) -> Callable[[LabelSet], LabelSet]:
    """What picks the labels that a group keeps."""
    chosen = frozenset(grouping)
    if not without:
        return lambda labels: tuple(pair for pair in labels if pair[0] in chosen)
    left_out = chosen | {METRIC_NAME}
    return lambda labels: tuple(pair for pair in labels if pair[0] not in left_out)


def aggregate(operation: Aggregate, vector: Vector, parameter: Floats | None, run: Run) -> Vector:
    """One element a group. `parameter`, shape (b, t), is the quantile."""
    groups = grouped(vector.rows, operation.grouping, without=operation.without)
    count = len(groups.rows)
    vector = Vector(vector.rows, plain(vector.values), plain(vector.present))
    present = kernels.group_counts(vector.present, groups.of_row, count)
    if operation.op == "quantile":
        assert parameter is not None
        _check_quantile(parameter, run)
        by_group, bounds = groups.sorted_rows()
        q = plain(parameter[groups.rows.owners])
        values = kernels.group_quantiles(vector.values, vector.present, by_group, bounds, q)
    elif operation.op in _REDUCTIONS:
        values = _REDUCTIONS[operation.op](vector, groups.of_row, count)
    else:
        values = present.astype(np.float64) if operation.op == "count" else np.ones(present.shape)
    return Vector(groups.rows, values, present > 0)


def _check_quantile(parameter: Floats, run: Run) -> None:
    for q in np.unique(parameter[~((parameter >= 0) & (parameter <= 1))]).tolist():
        run.notes.warn(f"quantile value should be between 0 and 1, got {q:g}")


_REDUCTIONS: dict[str, Callable[[Vector, Ints, int], Floats]] = {
    "sum": lambda vector, groups, count: kernels.group_sums(vector.values, vector.present, groups, count),
    "avg": lambda vector, groups, count: kernels.group_means(vector.values, vector.present, groups, count),
    "max": lambda vector, groups, count: kernels.group_extremes(
        vector.values, vector.present, groups, count, 1.0
    ),
    "min": lambda vector, groups, count: kernels.group_extremes(
        vector.values, vector.present, groups, count, -1.0
    ),
    "stdvar": lambda vector, groups, count: kernels.group_variances(
        vector.values, vector.present, groups, count
    ),
    "stddev": lambda vector, groups, count: np.sqrt(
        kernels.group_variances(vector.values, vector.present, groups, count)
    ),
}
