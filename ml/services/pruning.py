"""Versions that nobody needs any more: removed after a training, their files after their rows.

In: a group. Out: how many went. Kept: the champion, the newest challenger, the newest retired versions, to
which it can be rolled back, the parents of these, and versions that told of an anomaly or of drift in the
last month. Anomalies that ended before are forgotten.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final
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


def prune_versions(group: ModelGroup, *, now: datetime) -> int:
    """Remove the versions of a group that nothing refers to. A file goes once its row is gone for certain."""
    with transaction.atomic():
        ModelGroup.objects.for_tenant(group.tenant_id).select_for_update().get(pk=group.pk)
        versions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group)
        rows = list(versions.order_by("-number").values_list("pk", "status", "parent_id", "checksum"))
        newest = [
            row for status, count in KEPT.items() for row in [one for one in rows if one[1] == status][:count]
        ]
        kept = {one for row in newest for one in (row[0], row[2])} | _referred_to(group, now)
        gone = [row for row in rows if row[0] not in kept]
        versions.filter(pk__in=[row[0] for row in gone]).delete()
        left = {row[3] for row in rows if row[0] in kept}
        for checksum in {row[3] for row in gone} - left:
            transaction.on_commit(partial(remove_artefact, group.tenant_id, group.pk, checksum))
    return len(gone)


def _referred_to(group: ModelGroup, now: datetime) -> set[UUID | None]:
    """Versions that anomalies and drift of the last month name."""
    seen = SeenAnomaly.objects.for_tenant(group.tenant_id).filter(group=group)
    seen.filter(last_at__lt=now - TOLD_FOR).delete()
    drifts = DriftEvent.objects.for_tenant(group.tenant_id).filter(group=group, at__gt=now - TOLD_FOR)
    return {*seen.values_list("version_id", flat=True), *drifts.values_list("version_id", flat=True)}
