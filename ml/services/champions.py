"""The model that scores a group: found, loaded once a process and version, refused when it cannot be trusted.

In: a group. Out: its champion. Refused: models that are missing, stale, of another selector or step, or
whose artefact is not what was saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final
from uuid import UUID

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from ml.detectors.artefacts import CorruptArtefact, load_model
from ml.detectors.protocol import Model
from ml.detectors.registry import DETECTORS
from ml.models import ModelGroup, ModelVersion
from ml.services.artefact_files import fetch

MODELS_KEPT: Final = 256
STALE_INTERVALS: Final = 3
"""A champion older than so many retrainings is not trusted any more."""


class NoChampion(PlatformError):
    """A group has no model that can be trusted; the message says why."""

    code = "ml.no_champion"


@dataclass(frozen=True, slots=True)
class Champion:
    """A loaded model with the series it was learned from, in its order."""

    version: ModelVersion
    model: Model
    labels: list[LabelSet]
    columns: tuple[LabelSet, ...] = ()
    """Of hosts: their metrics, in its order."""


def champion_of(group: ModelGroup, *, now: datetime) -> Champion:
    """The group's champion.

    Raises
    ------
    NoChampion
        If there is none, or it is stale or of another selector or step.
    CorruptArtefact
        If its artefact is not what was saved.
    """
    return loaded(trusted_version(group, now=now))


def trusted_version(group: ModelGroup, *, now: datetime) -> ModelVersion:
    """The version that is champion, without its artefact.

    Raises
    ------
    NoChampion
        If there is none, or it is stale or of another selector or step.
    """
    versions = ModelVersion.objects.for_tenant(group.tenant_id).filter(group=group).defer("artefact")
    version: ModelVersion | None = versions.filter(status=ModelVersion.Status.CHAMPION).first()
    if version is None:
        raise NoChampion("no model was learned yet")
    if (version.selector, version.step_s, bool(version.columns)) != (
        group.selector,
        group.step_s,
        bool(group.host_label),
    ):
        raise NoChampion(f"version {version.number} was learned from another selector or step")
    age = now - version.trained_until
    if age > timedelta(seconds=STALE_INTERVALS * group.retrain_interval_s):
        raise NoChampion(f"version {version.number} is stale: it was learned {age.total_seconds():.0f} s ago")
    return version


def loaded(version: ModelVersion) -> Champion:
    """A version with its model.

    Raises
    ------
    CorruptArtefact
    """
    model = _model(version.tenant_id, version.pk, version.checksum)
    columns = tuple(tuple((name, value) for name, value in one) for one in version.columns)
    return Champion(version, model, series_of(version), columns)


def series_of(version: ModelVersion) -> list[LabelSet]:
    """The series that a version knows, in the order of its artefact."""
    return [tuple((name, value) for name, value in one) for one in version.series]


@lru_cache(maxsize=MODELS_KEPT)
def _model(tenant_id: UUID, version_id: UUID, checksum: str) -> Model:
    """An artefact never changes, so it is read once a process."""
    return load_model(artefact_of(tenant_id, version_id, checksum), DETECTORS)


def artefact_of(tenant_id: UUID, version_id: UUID, checksum: str) -> bytes:
    """The artefact of a version.

    Raises
    ------
    CorruptArtefact
        If it is not what was saved.
    """
    row = ModelVersion.objects.for_tenant(tenant_id).only("artefact", "group_id").get(pk=version_id)
    data = bytes(row.artefact) or fetch(tenant_id, row.group_id, checksum)
    found = sha256(data).hexdigest()
    if found != checksum:
        raise CorruptArtefact(f"artefact has the checksum {found}, the registry says {checksum}")
    return data
