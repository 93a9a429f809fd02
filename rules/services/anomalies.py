"""Conditions on anomalies: the model group behind each, made or found when the rule is saved, and the anomaly
behind each alert.

In: a tenant, a condition, its author; or changes of state. Out: nothing; or the changes with what is known
of their anomalies. Refused: groups that whoever scores series refuses. Rules know no models: who makes groups
and previews them, who names them, and who saw anomalies is said by the settings `ANOMALY_MODEL_GROUPS`,
`ANOMALY_PREVIEW`, `ANOMALY_GROUP_NAMES` and `ANOMALIES_SEEN`, each a function as the protocols below.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from alertsite.core.clock import to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, Matcher
from rules.evaluation.anomalies import (
    SCORE,
    ScoredAnomaly,
    SeenAnomalies,
    groups_read,
    in_words,
    score_selectors,
)
from rules.evaluation.plots import Plot
from rules.evaluation.scoring import Span
from rules.evaluation.states import State
from rules.evaluation.tick import ALERT_NAME, AlertChange
from rules.language.conditions import Anomaly, anomalies_in
from rules.language.plan import plan

EXPLANATION: Final = "explanation"
"""The annotation that tells of the anomaly, unless the rule has one of this name."""


@dataclass(frozen=True, slots=True)
class AnomalyEvent:
    """When a condition on a score would have held for a series, and the highest score."""

    labels: LabelSet
    start_ms: int
    end_ms: int
    peak: float


@dataclass(frozen=True, slots=True)
class AnomalyPreview:
    """What a condition on a score would have found, and plots of the strangest series."""

    events: Sequence[AnomalyEvent]
    series: int
    plots: Sequence[Plot]


class EnsureModelGroup(Protocol):
    """Makes the model group that a condition names, or finds it."""

    def __call__(self, tenant_id: UUID, wanted: Anomaly, *, actor: str, now: datetime) -> None:
        """Raises a `PlatformError` when there can be no such group."""


def ensure_model_groups(
    tenant_id: UUID, condition: Mapping[str, Any] | None, *, actor: str, now: datetime
) -> None:
    """Make or find the model group of each anomaly in a condition.

    Raises
    ------
    PlatformError
        As whoever scores series refuses it.
    """
    parts = anomalies_in(condition) if condition is not None else []
    if parts:
        ensure: EnsureModelGroup = import_string(settings.ANOMALY_MODEL_GROUPS)
        for part in parts:
            ensure(tenant_id, part, actor=actor, now=now)


class PreviewAnomaly(Protocol):
    """Tells what a condition would have found in past time."""

    def __call__(
        self, tenant_id: UUID, wanted: Anomaly, span: Span, *, hold_ms: int, now_ms: int
    ) -> AnomalyPreview:
        """Raises a `PlatformError` where there is too little history, or no such group."""


class GroupNames(Protocol):
    """Names the model groups that conditions may name."""

    def __call__(self) -> Sequence[tuple[str, str]]:
        """Pairs of a group and its tenant, of the tenants in scope."""


def preview_anomaly(
    tenant_id: UUID, wanted: Anomaly, span: Span, *, hold_ms: int, now_ms: int
) -> AnomalyPreview:
    """What a condition would have found in a span. Nothing is stored.

    Raises
    ------
    PlatformError
        As whoever scores series refuses it.
    """
    tell: PreviewAnomaly = import_string(settings.ANOMALY_PREVIEW)
    return tell(tenant_id, wanted, span, hold_ms=hold_ms, now_ms=now_ms)


def group_names() -> Sequence[tuple[str, str]]:
    """Pairs of a model group of anomalies and its tenant."""
    names: GroupNames = import_string(settings.ANOMALY_GROUP_NAMES)
    return names()


class AnomaliesSeen(Protocol):
    """Tells what was anomalous lately."""

    def __call__(
        self, tenant_id: UUID, at: datetime, *, groups: Collection[str] | None
    ) -> Sequence[ScoredAnomaly]:
        """The anomalies that a rule could see at a moment, of these model groups or of all."""


def with_anomalies(tenant_id: UUID, changes: list[AlertChange], *, at_ms: int) -> list[AlertChange]:
    """The changes; those of rules on scores with the anomalies behind them and an annotation of them."""
    about = {
        number: selectors
        for number, change in enumerate(changes)
        if change.change.state in {State.PENDING, State.FIRING}
        and not change.spec.datasource  # a score that is asked for elsewhere is not one of ours
        and (selectors := _selectors(change.spec.expr))
    }
    if not about:
        return changes
    tell: AnomaliesSeen = import_string(settings.ANOMALIES_SEEN)
    groups = groups_read(matchers for selectors in about.values() for matchers in selectors)
    seen = SeenAnomalies(tell(tenant_id, to_datetime(at_ms), groups=groups))
    told = list(changes)
    for number, selectors in about.items():
        told[number] = _explained(changes[number], selectors, seen)
    return told


@lru_cache(maxsize=4096)
def _selectors(expr: str) -> tuple[tuple[Matcher, ...], ...]:
    """The selectors of scores in an expression; none of one that does not read, whose alert says so."""
    if SCORE not in expr:
        return ()
    try:
        return tuple(score_selectors(plan(expr)))
    except PlatformError:
        return ()


def _explained(
    change: AlertChange, selectors: Sequence[tuple[Matcher, ...]], seen: SeenAnomalies
) -> AlertChange:
    added = {ALERT_NAME, *(name for name, _ in change.spec.labels)}
    own = {name: value for name, value in change.labels if name not in added}
    found = seen.behind(own, selectors)
    if not found:
        return change
    sentences = " ".join(in_words(one) for one in found)
    return replace(change, anomalies=found, annotations={EXPLANATION: sentences, **change.annotations})
