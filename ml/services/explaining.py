"""Why series of a group had their scores at a moment.

In: a group and a moment. Out: for each series that was scored its reasons, the strongest first, and which
model says so. Refused: groups without a model that can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alertsite.core.clock import to_datetime
from alertsite.core.labels import LabelSet, format_labels
from ml.detectors.protocol import Reason
from ml.models import ModelGroup, ModelVersion
from ml.services.champions import champion_of
from ml.services.judging import cut_to_ticks, followed_from, only_anomalies
from ml.services.reading import read_group

MAX_EXPLAINED: Final = 50
_METRIC: Final = re.compile(r"\bmetric (\d+)\b")
"""How detectors of hosts call a column."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One series at one tick."""

    labels: LabelSet
    value: float
    score: float
    expected: float
    reasons: list[Reason]


def explain(group: ModelGroup, at_ms: int, *, now_ms: int) -> tuple[ModelVersion, list[Explanation]]:
    """The version that scores, and its strangest series at the last tick up to the moment.

    Raises
    ------
    NoChampion, CorruptArtefact, InvalidParameter
    """
    only_anomalies(group)
    champion = champion_of(group, now=to_datetime(now_ms))
    step_ms = group.step_s * 1000
    tick = range(at_ms // step_ms * step_ms, at_ms // step_ms * step_ms + 1, step_ms)
    rows = range(followed_from(champion, tick), tick[0] + 1, step_ms)
    found = read_group(group, rows, now_ms=now_ms).only(champion.labels, champion.columns)
    scores = cut_to_ticks(group, found, champion.model.score(found.batch), tick)
    known = np.flatnonzero(np.isfinite(scores.score[:, -1]))
    strangest = known[np.argsort(-scores.score[known, -1], kind="stable")][:MAX_EXPLAINED]
    assert scores.expected is not None
    return champion.version, [
        Explanation(
            found.labels[number],
            float(found.values[number, -1]),
            float(scores.score[number, -1]),
            float(scores.expected[number, -1]),
            _named(champion.model.explain(found.batch, number, found.batch.points - 1), found.columns),
        )
        for number in strangest.tolist()
    ]


def _named(reasons: Sequence[Reason], columns: Sequence[LabelSet]) -> list[Reason]:
    """Reasons of hosts with the metrics' own names in place of their numbers."""
    return [
        replace(one, feature=_METRIC.sub(lambda number: _name(number, columns), one.feature))
        for one in reasons
    ]


def _name(number: re.Match[str], columns: Sequence[LabelSet]) -> str:
    place = int(number[1])
    return format_labels(columns[place]) if place < len(columns) else number[0]
