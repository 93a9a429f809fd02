"""`absent`, `absent_over_time`, `scalar`: what a vector is as a whole. One answer a rule and step."""

from __future__ import annotations

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, MatchOp, label_set
from alertsite.core.samples import Bools, Floats
from rules.language.frames import Run, Vector
from rules.language.matching import group_presence
from rules.language.rows import Rows


def absent(asked: Rows, present: Bools, slot: int | None, run: Run) -> Vector:
    """One for each rule and step without an element, with the labels that the selector in `slot` asks for.

    Parameters
    ----------
    asked, present
        The rows, and where they have an element: shape (n, t).
    slot
        The selector whose absence is asked, or None for any other expression.
    """
    missing = group_presence(asked.owners, present, run.size) == 0
    rows = asked.memo(("absent", slot), lambda: _absent_rows(slot, run))
    return Vector(rows, np.ones(missing.shape), missing)


def _absent_rows(slot: int | None, run: Run) -> Rows:
    if slot is None:
        return run.singles
    asked_for = run.selectors[slot]
    return Rows(
        np.arange(run.size),
        lambda: [_asked_for(matchers) for matchers in asked_for],
        distinct=True,
        one_metric=True,
    )


def _asked_for(matchers: tuple[Matcher, ...]) -> LabelSet:
    """Labels that equality matchers fix; a label with several matchers is not fixed."""
    labels: dict[str, str] = {}
    for matcher in matchers:
        if matcher.name == METRIC_NAME:
            continue
        fixes = matcher.op is MatchOp.EQUAL and matcher.name not in labels
        labels[matcher.name] = matcher.value if fixes else ""
    return label_set(labels)


def scalar(vector: Vector, run: Run) -> Floats:
    """Shape (b, t). The value of the only element, NaN for none or several."""
    found = group_presence(vector.rows.owners, vector.present, run.size)
    values = np.zeros(found.shape)
    np.add.at(values, vector.rows.owners, np.where(vector.present, vector.values, 0.0))
    return np.where(found == 1, values, np.nan)
