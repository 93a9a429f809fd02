"""`absent`, `absent_over_time`, `scalar`: what a vector is as a whole. One answer a rule and step."""

from __future__ import annotations

import numpy as np

from alertsite.core.labels import METRIC_NAME, LabelSet, Matcher, MatchOp, label_set
from alertsite.core.samples import Bools, Floats, Ints
from rules.language.frames import Run, Vector
from rules.language.matching import group_presence
from rules.language.rows import Rows


def absent(owners: Ints, present: Bools, slot: int | None, run: Run) -> Vector:
    """One for each rule and step without an element, with the labels that the selector in `slot` asks for.

    Parameters
    ----------
    owners, present
        Rule of each row, shape (n,), and where it has an element, shape (n, t).
    slot
        The selector whose absence is asked, or None for any other expression.
    """
    missing = group_presence(owners, present, run.size) == 0
    selectors = [() if slot is None else selectors[slot] for selectors in run.selectors]
    rows = Rows(
        np.arange(run.size),
        lambda: [_asked_for(matchers) for matchers in selectors],
        distinct=True,
        one_metric=True,
    )
    return Vector(rows, np.ones(missing.shape), missing)


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
