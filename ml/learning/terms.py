"""What a person asks of scores beyond the model's own threshold: sensitivity, side and least deviation.

In: a model's scores with the values they judge. Out: scores of which more than 1 still means anomalous.
Refused: nothing; side and deviation need an expected value and pass over models that have none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from alertsite.core.samples import Bools, Floats
from ml.detectors.protocol import Scores


@dataclass(frozen=True, slots=True)
class Terms:
    """`sensitivity` multiplies scores; `min_deviation` is in the unit of the metric."""

    sensitivity: float = 1.0
    direction: Literal["up", "down", "both"] = "both"
    min_deviation: float = 0.0


def on_terms(scores: Scores, values: Floats, terms: Terms) -> Scores:
    """Scores on a person's terms; what the terms pass over scores 1 at most.

    Parameters
    ----------
    scores, values
        Shapes (n_series, n_points).
    """
    score = scores.score * terms.sensitivity
    if scores.expected is None or scores.lower is None or scores.upper is None:
        return replace(scores, score=score)
    above = values - scores.expected
    return Scores(
        np.where(_passed_over(above, terms), np.minimum(score, 1.0), score),
        scores.expected,
        scores.expected - (scores.expected - scores.lower) / terms.sensitivity,
        scores.expected + (scores.upper - scores.expected) / terms.sensitivity,
    )


def _passed_over(above: Floats, terms: Terms) -> Bools:
    near: Bools = np.abs(above) < terms.min_deviation
    if terms.direction == "up":
        return near | (above < 0)
    if terms.direction == "down":
        return near | (above > 0)
    return near
