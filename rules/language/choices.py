"""Aggregations that keep elements as they are (`topk` and its kin, `limit_ratio`), and `count_values`.

In: a vector, its grouping, the parameter of each rule and step. Out: the same rows, fewer of them present.
"""

from __future__ import annotations

import numpy as np
import xxhash

from alertsite.core.labels import LabelSet
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.aggregates import Groups, grouped
from rules.language.format import format_value
from rules.language.frames import Run, Vector
from rules.language.rows import Rows
from rules.language.syntax import Aggregate

CHOICES = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
_INT64 = float(2**63)


def choose(operation: Aggregate, vector: Vector, parameter: Floats, run: Run) -> Vector:
    """The elements that `topk`, `bottomk`, `limitk` or `limit_ratio` keeps. `parameter` has shape (b, t)."""
    if operation.op == "limit_ratio":
        return _choose_ratio(vector, parameter, run)
    _check_count(parameter, run)
    groups = grouped(vector.rows, operation.grouping, without=operation.without)
    # Whole numbers below what any vector holds; failed rules get zero.
    wanted = np.trunc(np.nan_to_num(np.clip(parameter, 0, len(vector.rows)), nan=0.0))[vector.rows.owners]
    present = np.zeros_like(vector.present)
    best: Ints | None = None
    for step in range(vector.present.shape[1]):
        run.check_time()
        ranked = _ranked(operation.op, vector, groups, step)
        best = ranked[_rank_in_group(groups.of_row[ranked]) < wanted[ranked, step]]
        present[best, step] = True
    in_order = vector.present.shape[1] == 1 and operation.op != "limitk"
    return Vector(vector.rows, vector.values, present, best if in_order else None)


def _check_count(parameter: Floats, run: Run) -> None:
    for owner in np.flatnonzero((parameter >= 1).any(axis=1) | np.isnan(parameter).any(axis=1)).tolist():
        row = parameter[owner]
        if np.isnan(row).any():
            run.fail(owner, "Parameter value is NaN")
        elif row.min() <= -_INT64:
            run.fail(owner, f"Scalar value {row.min():g} underflows int64")
        elif row.max() >= _INT64:
            run.fail(owner, f"Scalar value {row.max():g} overflows int64")


def _ranked(op: str, vector: Vector, groups: Groups, step: int) -> Ints:
    """Present rows of a step by group, best first; NaN is never better than a number."""
    rows = np.flatnonzero(vector.present[:, step])
    group = groups.of_row[rows]
    if op == "limitk":
        return rows[np.argsort(group, kind="stable")]
    values = vector.values[rows, step]
    key = -values if op == "topk" else values
    return rows[np.lexsort((key, np.isnan(values), group))]


def _rank_in_group(group: Ints) -> Ints:
    """Position of each row in its group, where rows of a group stand together."""
    begins = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(begins, append=len(group))
    return np.arange(len(group)) - np.repeat(begins, sizes)


def _choose_ratio(vector: Vector, parameter: Floats, run: Run) -> Vector:
    """Rows whose label hash lies below the ratio; a negative ratio gives the complement."""
    for owner in np.flatnonzero(np.isnan(parameter).any(axis=1)).tolist():
        run.fail(owner, "Ratio value is NaN")
    for beyond, bound in ((parameter.max(initial=0.0), 1.0), (parameter.min(initial=0.0), -1.0)):
        if abs(beyond) > 1:
            run.notes.warn(f"ratio value should be between -1 and 1, got {beyond:g}, capping to {bound:g}")
    ratio = np.clip(parameter, -1.0, 1.0)[vector.rows.owners]
    offsets = vector.rows.memo("hash_offsets", lambda: _hash_offsets(vector.rows))[:, None]
    chosen: Bools = np.where(ratio >= 0, offsets < ratio, offsets >= 1.0 + ratio)
    return Vector(vector.rows, vector.values, vector.present & chosen)


def _hash_offsets(rows: Rows) -> Floats:
    return np.array([_prometheus_hash(labels) / float(2**64 - 1) for labels in rows.label_sets])


def _prometheus_hash(labels: LabelSet) -> int:
    """The hash of a label set in Prometheus: xxHash64 over length-prefixed names and values."""
    digest = xxhash.xxh64()
    for pair in labels:
        for part in pair:
            encoded = part.encode("utf-8", "replace")
            size = len(encoded)
            digest.update(bytes([size]) if size < 255 else b"\xff" + size.to_bytes(3, "little"))
            digest.update(encoded)
    return digest.intdigest()


def count_values(operation: Aggregate, vector: Vector, label: str) -> Vector:
    """How many elements of each group have each value, which becomes a label."""
    grouping = (*operation.grouping, label) if operation.without else _left_out(operation.grouping, label)
    groups = grouped(vector.rows, grouping, without=operation.without)
    row, step = np.nonzero(vector.present)
    values, of_value = np.unique(vector.values[row, step], return_inverse=True)
    found, of_found = np.unique(groups.of_row[row] * len(values) + of_value, return_inverse=True)
    # `without` may name the label itself: then all values of a group are counted together.
    shown = not (operation.without and label in operation.grouping)
    made: dict[tuple[int, LabelSet], int] = {}
    places = np.empty(len(found), np.int64)
    of_group, which = np.divmod(found, max(len(values), 1))
    for position, (group, value) in enumerate(zip(of_group.tolist(), which.tolist(), strict=True)):
        labels = groups.rows.label_sets[group]
        if shown:
            labels = tuple(sorted([*labels, (label, format_value(float(values[value])))]))
        places[position] = made.setdefault((int(groups.rows.owners[group]), labels), len(made))
    counts = np.zeros((len(made), vector.present.shape[1]))
    np.add.at(counts, (places[of_found], step), 1.0)
    label_sets = [labels for _, labels in made]
    owners = np.array([owner for owner, _ in made], np.int64)
    return Vector(Rows(owners, lambda: label_sets, distinct=True), counts, counts > 0)


def _left_out(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(other for other in names if other != name)
