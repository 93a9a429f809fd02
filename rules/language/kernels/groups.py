"""One number for each group of rows and step.

In: values where `present`, shape (n, t), and the group of each row, shape (n,). Out: shape (g, t).
A group without a present row has count 0; its number means nothing.
"""

from __future__ import annotations

import numpy as np

from alertsite.core.samples import Bools, Floats, Ints
from rules.language.kernels.compiler import kernel
from rules.language.kernels.windows import add_compensated, quantile_of_sorted


@kernel
def group_counts(present: Bools, groups: Ints, count: int) -> Ints:
    """How many rows of each group are present."""
    out = np.zeros((count, present.shape[1]), np.int64)
    for i in range(present.shape[0]):
        for j in range(present.shape[1]):
            out[groups[i], j] += present[i, j]
    return out


@kernel
def group_sums(values: Floats, present: Bools, groups: Ints, count: int) -> Floats:
    """The compensated sum of each group."""
    total = np.zeros((count, values.shape[1]))
    lost = np.zeros((count, values.shape[1]))
    for i in range(values.shape[0]):
        g = groups[i]
        for j in range(values.shape[1]):
            if present[i, j]:
                total[g, j], lost[g, j] = add_compensated(total[g, j], lost[g, j], values[i, j])
    return np.where(np.isinf(total), total, total + lost)


@kernel
def group_means(values: Floats, present: Bools, groups: Ints, count: int) -> Floats:
    """The mean of each group; where the sum overflows, the running mean."""
    seen = np.zeros((count, values.shape[1]))
    total = np.zeros((count, values.shape[1]))
    lost = np.zeros((count, values.shape[1]))
    running = np.zeros((count, values.shape[1]), np.bool_)
    for i in range(values.shape[0]):
        g = groups[i]
        for j in range(values.shape[1]):
            if not present[i, j]:
                continue
            seen[g, j] += 1.0
            members = seen[g, j]
            if not running[g, j]:
                grown, rest = add_compensated(total[g, j], lost[g, j], values[i, j])
                if members == 1.0 or not np.isinf(grown):
                    total[g, j], lost[g, j] = grown, rest
                    continue
                running[g, j] = True
                total[g, j] /= members - 1.0
                lost[g, j] /= members - 1.0
            share = (members - 1.0) / members
            total[g, j], lost[g, j] = add_compensated(
                share * total[g, j], share * lost[g, j], values[i, j] / members
            )
    return np.where(running, total + lost, total / seen + lost / seen)


@kernel
def group_variances(values: Floats, present: Bools, groups: Ints, count: int) -> Floats:
    """The population variance of each group (Welford). A group that begins with NaN or infinity has none."""
    seen = np.zeros((count, values.shape[1]))
    mean = np.zeros((count, values.shape[1]))
    squares = np.zeros((count, values.shape[1]))
    for i in range(values.shape[0]):
        g = groups[i]
        for j in range(values.shape[1]):
            if not present[i, j]:
                continue
            seen[g, j] += 1.0
            if seen[g, j] == 1.0:
                mean[g, j] = values[i, j]
                squares[g, j] = 0.0 if np.isfinite(values[i, j]) else np.nan
                continue
            delta = values[i, j] - mean[g, j]
            mean[g, j] += delta / seen[g, j]
            squares[g, j] += delta * (values[i, j] - mean[g, j])
    return squares / seen


@kernel
def group_extremes(values: Floats, present: Bools, groups: Ints, count: int, sign: float) -> Floats:
    """The greatest of each group for sign 1, the least for -1. Numbers win over NaN."""
    out = np.full((count, values.shape[1]), np.nan)
    for i in range(values.shape[0]):
        g = groups[i]
        for j in range(values.shape[1]):
            if present[i, j] and (sign * values[i, j] > sign * out[g, j] or np.isnan(out[g, j])):
                out[g, j] = values[i, j]
    return out


@kernel
def group_quantiles(values: Floats, present: Bools, by_group: Ints, bounds: Ints, q: Floats) -> Floats:
    """The `q[g, j]` quantile of each group. Rows of group g are `by_group[bounds[g]:bounds[g + 1]]`."""
    out = np.full((len(bounds) - 1, values.shape[1]), np.nan)
    for g in range(len(bounds) - 1):
        rows = by_group[bounds[g] : bounds[g + 1]]
        members = np.empty(len(rows))
        for j in range(values.shape[1]):
            count = 0
            for i in rows:
                if present[i, j]:
                    members[count] = values[i, j]
                    count += 1
            ordered = np.sort(members[:count])
            out[g, j] = quantile_of_sorted(ordered, np.sum(np.isnan(ordered)), q[g, j])
    return out
