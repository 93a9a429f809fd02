"""What is known of the anomaly behind an alert of a rule on `anomaly_score`.

In: anomalies as whoever scores series saw them, and the labels of an alert. Out: those that the alert is
about, the strongest first, as facts and as sentences. Refused: nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp, format_labels, label_set
from rules.language.plan import Plan

SCORE: Final = "anomaly_score"
GROUP: Final = "model_group"
METRIC: Final = "metric"
MAX_TOLD: Final = 3
"""Anomalies, and reasons of each, that an alert tells of: its rule may have asked for the maximum of many."""


@dataclass(frozen=True, slots=True)
class AnomalyReason:
    """A feature, lag, season or metric behind a score; `excess` above 1 is outside of what is usual."""

    feature: str
    value: float | None
    excess: float | None


@dataclass(frozen=True, slots=True)
class ScoredAnomaly:
    """One series at the moment it was strangest, and the model that says so. Moments are RFC 3339.

    Attributes
    ----------
    labels
        Of the series of the score, without its name.
    value, expected, lower, upper
        In the unit of the metric; None where the model tells none, as of whole hosts.
    version
        None where no model was learned yet, and the robust detector scored.
    """

    labels: Mapping[str, str]
    at: str
    score: float
    detector: str
    value: float | None = None
    expected: float | None = None
    lower: float | None = None
    upper: float | None = None
    reasons: Sequence[AnomalyReason] = ()
    version: int | None = None
    trained_from: str = ""
    trained_until: str = ""
    quality: Mapping[str, Any] = field(default_factory=dict)

    def as_facts(self) -> dict[str, Any]:
        """For the trace of an alert, with the sentence that people read."""
        return asdict(self) | {"text": in_words(self)}


def score_selectors(plan: Plan) -> list[tuple[Matcher, ...]]:
    """The matchers of each selector of an expression that reads scores."""
    name = Matcher(METRIC_NAME, MatchOp.EQUAL, SCORE)
    return [matchers for matchers in plan.selectors if name in matchers]


def groups_read(selectors: Iterable[Sequence[Matcher]]) -> set[str] | None:
    """The model groups that selectors name; None if one of them names none by equality."""
    named: set[str] = set()
    for matchers in selectors:
        equal = {one.value for one in matchers if one.name == GROUP and one.op is MatchOp.EQUAL}
        if not equal:
            return None
        named |= equal
    return named


class SeenAnomalies:
    """Anomalies, found by the labels of many alerts without trying all with each."""

    def __init__(self, seen: Sequence[ScoredAnomaly]) -> None:
        self._seen = seen
        self._having: defaultdict[tuple[str, str], list[ScoredAnomaly]] = defaultdict(list)
        self._lacking: dict[str, list[ScoredAnomaly]] = {}
        for one in seen:
            for pair in one.labels.items():
                self._having[pair].append(one)

    def behind(
        self, labels: Mapping[str, str], selectors: Iterable[Sequence[Matcher]]
    ) -> list[ScoredAnomaly]:
        """The anomalies that an alert of these labels is about, the strongest first.

        Parameters
        ----------
        labels
            Of the result, without those that the rule adds. What an aggregation dropped may be anything.
        """
        wanted = [[one for one in matchers if one.name != METRIC_NAME] for matchers in selectors]
        found = [
            one
            for one in self._candidates(labels)
            if all(one.labels.get(name, value) == value for name, value in labels.items())
            and any(all(m.matches(one.labels.get(m.name, "")) for m in matchers) for matchers in wanted)
        ]
        return sorted(found, key=lambda one: (-one.score, one.at))[:MAX_TOLD]

    def _candidates(self, labels: Mapping[str, str]) -> Sequence[ScoredAnomaly]:
        """Those that the rarest of the labels allows: they have its value, or no such label."""
        if not labels:
            return self._seen
        name, value = min(
            labels.items(),
            key=lambda pair: len(self._having.get(pair, ())) + len(self._without(pair[0])),
        )
        return [*self._having.get((name, value), ()), *self._without(name)]

    def _without(self, name: str) -> list[ScoredAnomaly]:
        if name not in self._lacking:
            self._lacking[name] = [one for one in self._seen if name not in one.labels]
        return self._lacking[name]


def in_words(anomaly: ScoredAnomaly) -> str:
    """One anomaly in a sentence or three, for people who read the alert."""
    parts = [f"{_told(anomaly)}, anomaly score {anomaly.score:.3g} (above 1 is anomalous)."]
    if anomaly.reasons:
        reasons = (_reason(one) for one in anomaly.reasons[:MAX_TOLD])
        parts.append(f"Strongest: {'; '.join(reasons)}.")
    return " ".join([*parts, _model(anomaly)])


def _told(anomaly: ScoredAnomaly) -> str:
    own = {name: value for name, value in anomaly.labels.items() if name not in {GROUP, METRIC}}
    subject = f"{anomaly.labels.get(METRIC, '')}{format_labels(label_set(own))}"
    if anomaly.value is None or anomaly.expected is None:
        return subject
    told = f"{subject} is {anomaly.value:.4g}, expected {anomaly.expected:.4g}"
    if anomaly.lower is None or anomaly.upper is None:
        return told
    return f"{told} ({anomaly.lower:.4g} to {anomaly.upper:.4g})"


def _reason(reason: AnomalyReason) -> str:
    excess = "" if reason.excess is None else f", {reason.excess:.2g} times the usual bound"
    return f"{reason.feature}{excess}"


def _model(anomaly: ScoredAnomaly) -> str:
    if anomaly.version is None:
        return f"Scored by {anomaly.detector}: no model was learned yet."
    span = f"{anomaly.trained_from[:16]} to {anomaly.trained_until[:16]}"
    return f"Model {anomaly.detector} version {anomaly.version}, learned from {span}."
