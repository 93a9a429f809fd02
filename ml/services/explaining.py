"""Why series of a group had their scores at a moment.

In: a group and a moment. Out: for each series that was scored its reasons, the strongest first, and which
model says so. Refused: groups without a model that can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from alertsite.core.clock import to_datetime
from alertsite.core.labels import LabelSet, format_labels
from alertsite.core.samples import Floats
from ml.detectors.protocol import Reason
from ml.models import ModelGroup, ModelVersion
from ml.services.champions import champion_of
from ml.services.excluding import scored_labels
from ml.services.judging import cut_to_ticks, followed_from, only_anomalies
from ml.services.reading import Grid, read_group, read_scores

MAX_EXPLAINED: Final = 50
MAX_CASES: Final = 3
PAST_ROWS: Final = 5_000
_METRIC: Final = re.compile(r"\bmetric (\d+)\b")
"""How detectors of hosts call a column."""


@dataclass(frozen=True, slots=True)
class PastCase:
    """The peak of an earlier anomaly of the same series."""

    at_ms: int
    value: float
    score: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """One series at one tick."""

    labels: LabelSet
    value: float
    score: float
    expected: float
    lower: float
    upper: float
    reasons: list[Reason]
    cases: list[PastCase]


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
    assert scores.lower is not None
    assert scores.upper is not None
    past = _Past.of(group, tick[0], now_ms=now_ms)
    return champion.version, [
        Explanation(
            found.labels[number],
            float(found.values[number, -1]),
            float(scores.score[number, -1]),
            float(scores.expected[number, -1]),
            float(scores.lower[number, -1]),
            float(scores.upper[number, -1]),
            named_reasons(champion.model.explain(found.batch, number, found.batch.points - 1), found.columns),
            past.nearest(found.labels[number], float(found.values[number, -1])),
        )
        for number in strangest.tolist()
    ]


@dataclass(frozen=True, slots=True)
class _Past:
    """Values and scores of the group's series before a tick."""

    values: Grid
    scores: Mapping[frozenset[tuple[str, str]], Floats]

    @classmethod
    def of(cls, group: ModelGroup, tick_ms: int, *, now_ms: int) -> _Past:
        """The last `PAST_ROWS` ticks."""
        step_ms = group.step_s * 1000
        ticks = range(tick_ms - PAST_ROWS * step_ms, tick_ms, step_ms)
        told = read_scores(group, ticks, now_ms=now_ms)
        scores = {scored_labels(labels): row for labels, row in zip(told.labels, told.values, strict=True)}
        return cls(read_group(group, ticks, now_ms=now_ms), scores)

    def nearest(self, labels: LabelSet, value: float) -> list[PastCase]:
        """Earlier anomalies of a series, those of the most similar value first."""
        row = self.scores.get(frozenset(labels))
        if row is None or labels not in self.values.labels:
            return []
        values = self.values.values[self.values.labels.index(labels)]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], row > 1.0, [False])).astype(np.int8)))
        peaks = [start + int(np.argmax(row[start:stop])) for start, stop in edges.reshape(-1, 2).tolist()]
        times = self.values.batch.timestamps_ms
        cases = [PastCase(int(times[at]), float(values[at]), float(row[at])) for at in peaks]
        known = [one for one in cases if np.isfinite(one.value)]
        return sorted(known, key=lambda one: (abs(one.value - value), -one.at_ms))[:MAX_CASES]


def named_reasons(reasons: Sequence[Reason], columns: Sequence[LabelSet]) -> list[Reason]:
    """Reasons of hosts with the metrics' own names in place of their numbers."""
    return [
        replace(one, feature=_METRIC.sub(lambda number: _name(number, columns), one.feature))
        for one in reasons
    ]


def _name(number: re.Match[str], columns: Sequence[LabelSet]) -> str:
    place = int(number[1])
    return format_labels(columns[place]) if place < len(columns) else number[0]
