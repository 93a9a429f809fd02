"""Model groups that conditions of rules ask for.

In: an anomaly condition. Out: nothing, its group is there afterwards; or what it would have found in past
time. Refused: a group that is only named and does not exist, and a name whose group watches something else.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from alertsite.core.clock import to_datetime
from alertsite.core.errors import InvalidParameter
from ml.models import ModelGroup
from ml.services.groups import draft_group, save_group
from ml.services.previewing_anomalies import Alarm, preview_anomalies
from rules.evaluation.scoring import Span
from rules.language.conditions import Anomaly
from rules.services.anomalies import AnomalyEvent, AnomalyPreview
from rules.services.authoring import Author

TERMS = ("selector", "detector", "sensitivity", "direction", "min_deviation")


def ensure_group(tenant_id: UUID, wanted: Anomaly, *, actor: str, now: datetime) -> None:
    """Find the group of a condition, or make it and have it learn at once.

    Raises
    ------
    InvalidParameter
        If there can be no such group.
    InvalidModelGroup
        If its selector or its detector cannot be scored.
    """
    name = wanted.group_name()
    found = _named(tenant_id, name)
    if not wanted.selector:
        if found is None:
            raise InvalidParameter("model_group", name, "a model group of anomalies that exists")
        return
    terms = {term: getattr(wanted, term) for term in TERMS}
    if found is None:
        save_group(ModelGroup(tenant_id=tenant_id, name=name, **terms), Author(actor, now))
    elif terms != {term: getattr(found, term) for term in TERMS}:
        raise InvalidParameter("model_group", name, f"another name: this one watches {found.selector!r}")


def preview_condition(
    tenant_id: UUID, wanted: Anomaly, span: Span, *, hold_ms: int, now_ms: int
) -> AnomalyPreview:
    """What a condition would have found in a span: scores above its threshold for at least `hold_ms`.

    Raises
    ------
    InvalidParameter, InvalidModelGroup
        If there is no such group, or can be none.
    TooLittleHistory
    """
    group = _named(tenant_id, wanted.group_name())
    if wanted.selector:
        terms = {term: getattr(wanted, term) for term in TERMS}
        author = Author("preview", to_datetime(now_ms))
        group = draft_group(tenant_id, {"name": wanted.group_name(), **terms}, author)
    if group is None:
        raise InvalidParameter("model_group", wanted.model_group, "a model group of anomalies that exists")
    alarm = Alarm(wanted.threshold, hold_ms)
    done = preview_anomalies(group, span.start_ms, span.end_ms, now_ms=now_ms, alarm=alarm)
    events = [AnomalyEvent(one.labels, one.start_ms, one.end_ms, one.peak) for one in done.events]
    return AnomalyPreview(events, done.series, done.plots)


def group_names() -> list[tuple[str, str]]:
    """Each group of anomalies with its tenant, of the tenants in scope."""
    rows = ModelGroup.across_tenants.filter(kind=ModelGroup.Kind.ANOMALY)
    return list(rows.order_by("name", "tenant__slug").values_list("name", "tenant__slug"))


def _named(tenant_id: UUID, name: str) -> ModelGroup | None:
    groups = ModelGroup.objects.for_tenant(tenant_id)
    return groups.filter(name=name, kind=ModelGroup.Kind.ANOMALY).first()
