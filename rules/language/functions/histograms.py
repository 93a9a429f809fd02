"""Functions of classic histograms. In: bucket series with their `le`. Out: one element a histogram.

Which rows are the buckets of one histogram is remembered by the rows; a tick sorts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.format import format_number
from rules.language.frames import Run, Vector
from rules.language.kernels.arrays import plain
from rules.language.kernels.compiler import kernel
from rules.language.rows import Rows, concatenated

_SMALL_DELTA = 1e-12
"""Relative difference of counts below which a decrease is rounding, not a fault worth telling."""


@dataclass(frozen=True, slots=True)
class _Histograms:
    """Buckets by histogram: h has the rows `members[bounds[h]:bounds[h + 1]]`, ascending by `uppers`."""

    rows: Rows
    members: Ints
    bounds: Ints
    uppers: Floats
    bad_labels: tuple[str, ...]


def _histograms(rows: Rows) -> _Histograms:
    return rows.memo("histograms", lambda: _find_histograms(rows))


def _find_histograms(rows: Rows) -> _Histograms:
    found: dict[tuple[int, LabelSet], list[tuple[float, int]]] = {}
    bad: dict[str, None] = {}
    for row, (owner, labels) in enumerate(zip(rows.owners.tolist(), rows.label_sets, strict=True)):
        text = next((value for name, value in labels if name == "le"), "")
        upper = _upper_bound(text)
        if upper is None:
            bad[text] = None
            continue
        others = tuple(pair for pair in labels if pair[0] != "le")
        found.setdefault((owner, others), []).append((upper, row))
    bounds = np.zeros(len(found) + 1, np.int64)
    np.cumsum([len(buckets) for buckets in found.values()], out=bounds[1:])
    ordered = [bucket for buckets in found.values() for bucket in sorted(buckets)]
    label_sets = [labels for _, labels in found]
    owners = np.array([owner for owner, _ in found], np.int64)
    result = Rows(
        owners,
        lambda: label_sets,
        drops=np.ones(len(found), np.bool_),
        distinct=True,
        one_metric=rows.one_metric,
    )
    members = np.array([row for _, row in ordered], np.int64)
    uppers = np.array([upper for upper, _ in ordered], np.float64)
    return _Histograms(result, members, bounds, uppers, tuple(bad))


def _upper_bound(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _checked(vector: Vector, run: Run) -> _Histograms:
    histograms = _histograms(vector.rows)
    for label in histograms.bad_labels:
        run.notes.warn(f'bucket label "le" is missing or has a malformed value of "{label}"')
    return histograms


def histogram_quantile(q: Floats, vector: Vector, run: Run) -> Vector:
    """The `q` quantile, shape (b, t), by linear interpolation in the bucket it falls into."""
    for wrong in np.unique(q[~((q >= 0) & (q <= 1))]).tolist():
        run.notes.warn(f"quantile value should be between 0 and 1, got {wrong:g}")
    histograms = _checked(vector, run)
    wanted = plain(q[histograms.rows.owners])
    values, present, forced = _quantiles(
        (plain(vector.values), plain(vector.present)),
        histograms.members,
        histograms.bounds,
        histograms.uppers,
        wanted,
    )
    if forced:
        run.notes.inform(
            "input to histogram_quantile needed to be fixed for monotonicity "
            "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
        )
    return Vector(histograms.rows, values, present)


def histogram_quantiles(vector: Vector, label: str, quantiles: list[Floats], run: Run) -> Vector:
    """Several quantiles at once, told apart by `label`. The result still has to be settled."""
    parts = [_named(histogram_quantile(q, vector, run), label, q) for q in quantiles]
    rows = [part.rows for part in parts]
    return Vector(
        rows[0].memo(("quantiles", *rows), lambda: concatenated(rows)),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.present for part in parts]),
    )


def _named(part: Vector, label: str, q: Floats) -> Vector:
    """Elements named by their quantile: the first step's, since one that changes is rare."""
    texts = tuple(_openmetrics(of_rule[0]) if of_rule else "" for of_rule in q.tolist())
    rows = part.rows.memo(("quantile", label, texts), lambda: _labelled(part.rows, label, texts))
    return Vector(rows, part.values, part.present)


def _openmetrics(value: float) -> str:
    text = format_number(value)
    return text if not text.lstrip("-").isdigit() else f"{text}.0"


def _labelled(rows: Rows, label: str, texts: tuple[str, ...]) -> Rows:
    def make() -> Sequence[LabelSet]:
        return [
            tuple(sorted([*(pair for pair in labels if pair[0] != label), (label, texts[owner])]))
            for owner, labels in zip(rows.owners.tolist(), rows.label_sets, strict=True)
        ]

    return rows.relabelled(make, distinct=label != METRIC_NAME, one_metric=rows.one_metric)


def histogram_fraction(lower: Floats, upper: Floats, vector: Vector, run: Run) -> Vector:
    """The share of observations between two bounds, shape (b, t) each, by linear interpolation."""
    histograms = _checked(vector, run)
    owners = histograms.rows.owners
    values, present = _fractions(
        (plain(vector.values), plain(vector.present)),
        (histograms.members, histograms.bounds),
        histograms.uppers,
        plain(lower[owners]),
        plain(upper[owners]),
    )
    return Vector(histograms.rows, values, present)


@kernel
def _buckets(counts: tuple[Floats, Bools], rows: Ints, uppers: Floats, step: int) -> tuple[Floats, Floats]:
    """Bounds and cumulative counts of the buckets present at a step; equal bounds are added up."""
    values, present = counts
    bounds, cumulative = np.empty(len(rows)), np.empty(len(rows))
    size = 0
    for at in range(len(rows)):
        row = rows[at]
        if not present[row, step]:
            continue
        if size > 0 and bounds[size - 1] == uppers[at]:
            cumulative[size - 1] += values[row, step]
        else:
            bounds[size], cumulative[size] = uppers[at], values[row, step]
            size += 1
    return bounds[:size], cumulative[:size]


@kernel
def _make_monotonic(cumulative: Floats) -> bool:
    """Raise counts that fall below the one before. True if one fell by more than rounding."""
    forced = False
    before = cumulative[0]
    for at in range(1, len(cumulative)):
        now = cumulative[at]
        if now == before:
            continue
        if abs(now - before) <= _SMALL_DELTA * (abs(now) + abs(before)) or now < before:
            forced = forced or (before - now) > _SMALL_DELTA * (abs(now) + abs(before))
            cumulative[at] = before
            continue
        before = now
    return forced


@kernel
def _quantile(q: float, bounds: Floats, cumulative: Floats) -> float:
    total = cumulative[-1]
    if len(bounds) < 2 or total == 0:
        return np.nan
    rank = q * total
    last = len(bounds) - 1
    bucket = 0
    while bucket < last and not cumulative[bucket] >= rank:
        bucket += 1
    if bucket == last:
        return float(bounds[last - 1])
    if bucket == 0 and bounds[0] <= 0:
        return float(bounds[0])
    begin, count = 0.0, cumulative[bucket]
    if bucket > 0:
        begin = bounds[bucket - 1]
        count -= cumulative[bucket - 1]
        rank -= cumulative[bucket - 1]
    return float(begin + (bounds[bucket] - begin) * (rank / count))


@kernel
def _quantiles(
    counts: tuple[Floats, Bools], members: Ints, limits: Ints, uppers: Floats, q: Floats
) -> tuple[Floats, Bools, bool]:
    steps = counts[0].shape[1]
    out = np.full((len(limits) - 1, steps), np.nan)
    present = np.zeros((len(limits) - 1, steps), np.bool_)
    forced = False
    for h in range(len(limits) - 1):
        rows, edges = members[limits[h] : limits[h + 1]], uppers[limits[h] : limits[h + 1]]
        for step in range(steps):
            bounds, cumulative = _buckets(counts, rows, edges, step)
            if len(bounds) == 0:
                continue
            present[h, step] = True
            wanted = q[h, step]
            if np.isnan(wanted):
                continue
            if wanted < 0 or wanted > 1:
                out[h, step] = -np.inf if wanted < 0 else np.inf
            elif bounds[-1] == np.inf:
                forced = _make_monotonic(cumulative) or forced
                out[h, step] = _quantile(wanted, bounds, cumulative)
    return out, present, forced


@kernel
def _rank(bound: float, bounds: Floats, cumulative: Floats) -> float:
    """How many observations lie below `bound`."""
    lower = 0.0 if bounds[0] > 0 else -np.inf
    below = 0.0
    for at in range(len(bounds)):
        if at > 0:
            lower = bounds[at - 1]
        if lower >= bound:
            return below
        if bounds[at] > bound:
            if lower == -np.inf:
                return float(cumulative[at])
            return float(below + (cumulative[at] - below) * (bound - lower) / (bounds[at] - lower))
        below = cumulative[at]
    return float(cumulative[-1])


@kernel
def _fractions(
    counts: tuple[Floats, Bools],
    layout: tuple[Ints, Ints],
    uppers: Floats,
    lower: Floats,
    upper: Floats,
) -> tuple[Floats, Bools]:
    members, limits = layout
    steps = counts[0].shape[1]
    out = np.full((len(limits) - 1, steps), np.nan)
    present = np.zeros((len(limits) - 1, steps), np.bool_)
    for h in range(len(limits) - 1):
        rows, edges = members[limits[h] : limits[h + 1]], uppers[limits[h] : limits[h + 1]]
        for step in range(steps):
            bounds, cumulative = _buckets(counts, rows, edges, step)
            if len(bounds) == 0:
                continue
            present[h, step] = True
            total, low, high = cumulative[-1], lower[h, step], upper[h, step]
            if bounds[-1] != np.inf or total == 0 or np.isnan(low) or np.isnan(high):
                continue
            if low >= high:
                out[h, step] = 0.0
                continue
            low_rank = min(_rank(low, bounds, cumulative), total)
            out[h, step] = (min(_rank(high, bounds, cumulative), total) - low_rank) / total
    return out, present
