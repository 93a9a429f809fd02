"""Thresholds from feedback: what people said of a group's alerts moves the scale of its scores.

In: a group, before it learns. Out: its scale, with the reason. Only verdicts on time since the scale last
moved count: the scores of that time were divided by it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from alertsite.core.clock import from_datetime, to_datetime
from ml.learning.thresholds import Verdict, calibrate
from ml.models import ModelGroup
from ml.services.excluding import UNENDED_S
from ml.services.outputs import GROUP_LABEL, METRIC_LABEL
from ml.services.reading import read_scores
from rules.models import Feedback

MAX_VERDICTS = 500
MAX_TICKS = 2_000
"""Of one verdict: the first ones of a longer time."""


def calibrate_group(group: ModelGroup, *, now_ms: int) -> None:
    """Move the group's scale where feedback asks for it, and say why on the group."""
    found = calibrate(list(_verdicts(group, now_ms)), group.threshold_scale)
    if not found.reason:
        return
    group.threshold_scale, group.threshold_reason = found.scale, found.reason
    group.threshold_at = to_datetime(now_ms)
    ModelGroup.objects.for_tenant(group.tenant_id).filter(pk=group.pk).update(
        threshold_scale=group.threshold_scale,
        threshold_reason=group.threshold_reason,
        threshold_at=group.threshold_at,
    )


def _verdicts(group: ModelGroup, now_ms: int) -> Iterator[Verdict]:
    """What was said of series that the group scores; verdicts without a score are left out."""
    since = group.threshold_at or group.created_at
    rows = Feedback.objects.for_tenant(group.tenant_id).filter(starts_at__gte=since).order_by("-at")
    for row in rows[:MAX_VERDICTS].iterator():
        if row.labels.get(GROUP_LABEL, group.name) == group.name and row.labels:
            score = _highest(group, row, now_ms)
            if score is not None:
                yield Verdict(row.verdict, score)


def _highest(group: ModelGroup, row: Feedback, now_ms: int) -> float | None:
    """The highest score, in the judged time, of the series that the verdict's labels name."""
    step_ms = group.step_s * 1000
    start_ms = from_datetime(row.starts_at) // step_ms * step_ms
    end_ms = min(start_ms + UNENDED_S * 1000 if row.ends_at is None else from_datetime(row.ends_at), now_ms)
    ticks = range(start_ms, max(end_ms, start_ms) + 1, step_ms)[:MAX_TICKS]
    scores = read_scores(group, ticks, now_ms=now_ms)
    told = set(row.labels.items())
    kept = [
        number
        for number, labels in enumerate(scores.labels)
        if {pair for pair in labels if pair[0] not in {"__name__", GROUP_LABEL, METRIC_LABEL}} <= told
    ]
    known = scores.values[kept]
    return float(np.nanmax(known)) if np.isfinite(known).any() else None
