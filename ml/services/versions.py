"""Storing what was learned as a new version, and letting it score where nothing speaks against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from django.db import transaction

from alertsite.core.clock import to_datetime
from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from ml.models import ModelGroup, ModelVersion
from ml.services.artefact_files import put_away


class TooLittleHistory(PlatformError):
    """No series of the group has been there for long enough."""

    code = "ml.too_little_history"


@dataclass(frozen=True, slots=True)
class Learned:
    """A model as bytes, the series that it knows in its order, what it was learned from, how good it is."""

    name: str
    artefact: bytes
    series: Sequence[LabelSet]
    from_ms: int
    until_ms: int
    quality: dict[str, Any]
    excluded: Sequence[dict[str, Any]] = ()
    parent: ModelVersion | None = None
    columns: Sequence[LabelSet] = ()
    profile: Mapping[str, Any] = field(default_factory=dict)


def store(
    group: ModelGroup, learned: Learned, accepted: Callable[[Mapping[str, Any] | None], bool]
) -> ModelVersion:
    """Save a version, in one transaction that sees the other versions locked.

    It becomes champion if `accepted` says so of the quality of the champion, None without one; else it
    waits as challenger.
    """
    status = ModelVersion.Status.CHALLENGER
    checksum = sha256(learned.artefact).hexdigest()
    with transaction.atomic():
        ModelGroup.objects.for_tenant(group.tenant_id).select_for_update().get(pk=group.pk)
        versions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group)
        champion = versions.filter(status=ModelVersion.Status.CHAMPION)
        if accepted(champion.values_list("quality", flat=True).first()):
            champion.update(status=ModelVersion.Status.RETIRED)
            status = ModelVersion.Status.CHAMPION
        newest = versions.order_by("-number").values_list("number", flat=True).first()
        created: ModelVersion = ModelVersion.objects.create(
            tenant_id=group.tenant_id,
            group=group,
            number=(newest or 0) + 1,
            parent=learned.parent,
            status=status,
            detector=learned.name,
            selector=group.selector,
            step_s=group.step_s,
            series=list(learned.series),
            artefact=put_away(group.tenant_id, group.pk, checksum, learned.artefact),
            checksum=checksum,
            trained_from=to_datetime(learned.from_ms),
            trained_until=to_datetime(learned.until_ms),
            excluded=list(learned.excluded),
            quality=learned.quality,
            columns=list(learned.columns),
            profile=dict(learned.profile),
            created_at=to_datetime(learned.until_ms),
        )
    return created
