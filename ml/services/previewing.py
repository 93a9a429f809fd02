"""What a model group would have found or foretold in past time, by its kind. Nothing is written."""

from __future__ import annotations

from alertsite.core.errors import InvalidParameter
from ml.models import ModelGroup
from ml.services.previewing_anomalies import ANY, Alarm, Preview, preview_anomalies
from ml.services.previewing_forecasts import preview_forecasts


def preview(group: ModelGroup, start_ms: int, end_ms: int, *, now_ms: int, alarm: Alarm = ANY) -> Preview:
    """Learn from what was before the span; score it, or foretell it and draw what came.

    Raises
    ------
    InvalidParameter
        If the span is empty or too long, or the group is of incidents, which have no series.
    TooLittleHistory
        If no series has enough of it before the span.
    """
    if group.kind == ModelGroup.Kind.FORECAST:
        return preview_forecasts(group, start_ms, end_ms, now_ms=now_ms)
    if group.kind == ModelGroup.Kind.ANOMALY:
        return preview_anomalies(group, start_ms, end_ms, now_ms=now_ms, alarm=alarm)
    raise InvalidParameter("kind", group.kind, "a group of anomalies or of forecasts")
