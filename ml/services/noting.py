"""The last anomaly of each series, kept with its reasons while its model is at hand; alerts are told by it.

In: a group that was just scored, before its scores are written, so that whoever reads a score finds why.
Out: rows. Refused: nothing; a model that cannot explain leaves its reasons out. Explaining costs as much as
scoring, so the strangest series are explained, when their anomaly begins and when it has grown.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np
from django.db import IntegrityError, connection, transaction

from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.labels import fingerprint, without_name
from ml.models import ModelGroup, SeenAnomaly
from ml.services.explaining import named_reasons
from ml.services.judging import FALLBACK, MODEL_FAULTS, Judged
from ml.services.outputs import output_labels
from rules.evaluation.anomalies import SCORE, AnomalyReason, ScoredAnomaly
from rules.services.transitions import finite

MAX_EXPLAINED: Final = 10
MAX_VALUES_READ: Final = 4_000_000
"""Values that all explanations of a pass may go through again; one is always given."""
MAX_REASONS: Final = 10
PAUSE_STEPS: Final = 2
"""A shorter pause does not end an anomaly."""
GROWN: Final = 1.5
"""A score so many times the one that was explained is explained anew."""
SEEN_FOR: Final = timedelta(minutes=5)
"""A rule sees a score for as long after its tick."""
MAX_TOLD: Final = 1_000
_CHANGING: Final = (
    "labels",
    "started_at",
    "at",
    "last_at",
    "score",
    "value",
    "expected",
    "lower",
    "upper",
    "reasons",
    "detector",
    "version",
)


def note_anomalies(group: ModelGroup, judged: Judged) -> int:
    """Keep what was anomalous at the ticks that were judged. How many series were."""
    if not judged.labels:
        return 0
    scores = np.nan_to_num(judged.scores.score)
    strange = np.flatnonzero((scores > 1.0).any(axis=1))
    order = strange[np.argsort(-scores[strange].max(axis=1), kind="stable")].tolist()
    rows = [_row(group, judged, number) for number in order]
    known = SeenAnomaly.objects.for_tenant(group.tenant_id).filter(group=group)
    before = {one.fingerprint: one for one in known.filter(fingerprint__in=[row.fingerprint for row in rows])}
    told = {number: row for number, row in zip(order, rows, strict=True) if _is_news(group, row, before)}
    same = [before[row.fingerprint] for number, row in zip(order, rows, strict=True) if number not in told]
    _explain(judged, told)
    try:
        with transaction.atomic():
            _save(group, list(told.values()), _CHANGING)
            _save(group, same, ("last_at",))
            connection.check_constraints()  # else foreign keys are looked at when all is committed
    except IntegrityError:
        return 0  # the group, or the version, was removed meanwhile
    return len(rows)


def _row(group: ModelGroup, judged: Judged, number: int) -> SeenAnomaly:
    """The strangest tick of a series, without its reasons."""
    scores = judged.scores.score[number]
    above = np.flatnonzero(np.nan_to_num(scores) > 1.0)
    peak = int(np.nanargmax(scores))
    labels = without_name(output_labels(judged.labels[number], group, SCORE))
    bands = (judged.scores.expected, judged.scores.lower, judged.scores.upper)
    expected, lower, upper = (None if one is None else finite(float(one[number, peak])) for one in bands)
    by = judged.by if judged.by is not None and number < len(judged.by.champion.labels) else None
    return SeenAnomaly(
        tenant_id=group.tenant_id,
        group=group,
        fingerprint=fingerprint(labels),
        labels=dict(labels),
        started_at=to_datetime(judged.times_ms[int(above[0])]),
        at=to_datetime(judged.times_ms[peak]),
        last_at=to_datetime(judged.times_ms[int(above[-1])]),
        score=float(scores[peak]),
        value=None if group.host_label else finite(float(judged.values[number, peak])),
        expected=expected,
        lower=lower,
        upper=upper,
        detector=FALLBACK.name if by is None else by.champion.model.detector,
        version=None if by is None else by.champion.version,
    )


def _is_news(group: ModelGroup, row: SeenAnomaly, before: Mapping[int, SeenAnomaly]) -> bool:
    """Whether an anomaly is another than the one that was kept, or much stranger; else that one goes on."""
    former = before.get(row.fingerprint)
    if former is None or row.started_at - former.last_at > PAUSE_STEPS * timedelta(seconds=group.step_s):
        return True
    former.last_at = max(row.last_at, former.last_at)
    row.started_at = former.started_at
    return row.score > GROWN * former.score


def _explain(judged: Judged, rows: Mapping[int, SeenAnomaly]) -> None:
    """Give the strangest rows that a champion scored their reasons."""
    if judged.by is None:
        return
    champion, batch = judged.by.champion, judged.by.batch
    affordable = max(1, min(MAX_EXPLAINED, MAX_VALUES_READ // max(batch.values.size, 1)))
    scored = [(number, row) for number, row in rows.items() if row.version is not None]
    for number, row in scored[:affordable]:
        place = batch.points - len(judged.times_ms) + judged.times_ms.index(from_datetime(row.at))
        try:
            reasons = champion.model.explain(batch, number, place)
        except MODEL_FAULTS:
            continue
        row.reasons = [
            {"feature": one.feature, "value": finite(one.value), "excess": finite(one.excess)}
            for one in named_reasons(reasons, champion.columns)[:MAX_REASONS]
        ]


def _save(group: ModelGroup, rows: Sequence[SeenAnomaly], columns: Sequence[str]) -> None:
    SeenAnomaly.objects.for_tenant(group.tenant_id).bulk_create(
        rows,
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["group", "fingerprint"],
        update_fields=columns,
    )


def anomalies_seen(tenant_id: UUID, at: datetime, *, groups: Collection[str] | None) -> list[ScoredAnomaly]:
    """The anomalies that a rule sees at a moment, of these groups or of all, the strongest first."""
    found = SeenAnomaly.objects.for_tenant(tenant_id).filter(started_at__lte=at, last_at__gt=at - SEEN_FOR)
    if groups is not None:
        found = found.filter(group__name__in=groups)
    rows = found.select_related("version").defer("version__artefact", "version__series")
    return [_told(row) for row in rows.order_by("-score", "pk")[:MAX_TOLD]]


def _told(row: SeenAnomaly) -> ScoredAnomaly:
    anomaly = ScoredAnomaly(
        labels=row.labels,
        at=row.at.isoformat(),
        score=row.score,
        detector=row.detector,
        value=row.value,
        expected=row.expected,
        lower=row.lower,
        upper=row.upper,
        reasons=[AnomalyReason(**one) for one in row.reasons],
    )
    if row.version is None:
        return anomaly
    return replace(
        anomaly,
        version=row.version.number,
        trained_from=row.version.trained_from.isoformat(),
        trained_until=row.version.trained_until.isoformat(),
        quality=row.version.quality,
    )
