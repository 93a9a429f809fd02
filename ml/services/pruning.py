"""Versions that nobody needs any more: removed after a training, their files after their rows.

In: a group. Out: how many went. Kept: the champion, the newest challenger, the newest retired versions, to
which it can be rolled back, the parents of these, and versions that told of an anomaly or of drift in the
last month. Anomalies that ended before are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from ml.models import DriftEvent, ModelGroup, ModelVersion, SeenAnomaly
from ml.services.artefact_files import remove_artefact

KEPT: Final = {
    ModelVersion.Status.CHAMPION: 1,
    ModelVersion.Status.CHALLENGER: 1,
    ModelVersion.Status.RETIRED: 2,
}
"""How many of each status, the newest."""
TOLD_FOR: Final = timedelta(days=30)
_COLUMNS: Final = ("pk", "number", "status", "parent_id", "checksum")


def prune_versions(group: ModelGroup, *, now: datetime) -> int:
    """Remove the versions of a group that nothing refers to. A file goes once its row is gone for certain."""
    with transaction.atomic():
        ModelGroup.objects.for_tenant(group.tenant_id).select_for_update().get(pk=group.pk)
        versions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group)
        rows = list(versions.order_by("-number").values_list(*_COLUMNS, named=True))
        kept = {one for row in _in_use(rows) for one in (row.pk, row.parent_id)} | _referred_to(group, now)
        gone = [row for row in rows if row.pk not in kept]
        versions.filter(pk__in=[row.pk for row in gone]).delete()
        left = {row.checksum for row in rows if row.pk in kept}
        for checksum in {row.checksum for row in gone} - left:
            transaction.on_commit(partial(remove_artefact, group.tenant_id, group.pk, checksum))
    return len(gone)


def _in_use(rows: Sequence[Any]) -> list[Any]:
    """The newest of each status, and what the champion would be rolled back to; rows are newest first."""
    of_status = {status: [row for row in rows if row.status == status] for status in KEPT}
    retired = of_status[ModelVersion.Status.RETIRED]
    before = [
        row for one in of_status[ModelVersion.Status.CHAMPION] for row in retired if row.number < one.number
    ]
    return [row for status, count in KEPT.items() for row in of_status[status][:count]] + before[:1]


def _referred_to(group: ModelGroup, now: datetime) -> set[UUID | None]:
    """Versions that anomalies and drift of the last month name."""
    seen = SeenAnomaly.objects.for_tenant(group.tenant_id).filter(group=group)
    seen.filter(last_at__lt=now - TOLD_FOR).delete()
    drifts = DriftEvent.objects.for_tenant(group.tenant_id).filter(group=group, at__gt=now - TOLD_FOR)
    return {*seen.values_list("version_id", flat=True), *drifts.values_list("version_id", flat=True)}
