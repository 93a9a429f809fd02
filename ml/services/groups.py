"""Saving and removing model groups, and deciding which version scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from alertsite.audit.services import Deed, record
from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import Conflict, PlatformError
from ml.detectors.registry import DEEP, DETECTORS
from ml.forecasting.registry import FORECASTERS
from ml.models import ModelGroup, ModelVersion
from ml.models.group import HOUR_S
from ml.services.artefact_files import remove_files
from ml.services.judging import MAX_HISTORY_ROWS
from ml.services.training import AUTO
from rules.language.parser import parse
from rules.language.syntax import Selector
from rules.services.authoring import Author

MAX_ROWS_BETWEEN_TRAININGS: Final = 3_000
"""A stream is followed from where learning ended, and a query has a bound."""
MAX_HORIZONS: Final = 10
MAX_HORIZON_S: Final = 7 * 86_400
LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_KEPT: Final = (
    "state",
    "state_reason",
    "training_error",
    "next_due_at",
    "next_drift_at",
    "leased_until",
    "fencing_token",
    "threshold_scale",
    "threshold_reason",
    "threshold_at",
)


class InvalidModelGroup(PlatformError):
    """A model group cannot be saved. `errors` has a reason for each field."""

    code = "ml.invalid_group"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


def detectors_offered(*, hosts: bool = False) -> list[str]:
    """Names of the detectors that take single metrics, or all metrics of a host together."""
    return [name for name in DETECTORS if name in {AUTO, *DEEP} or DETECTORS[name].joint == hosts]


def offered_for(kind: str, *, hosts: bool = False) -> list[str]:
    """Names that a group of a kind, of series or of hosts, may have as its detector."""
    if kind == ModelGroup.Kind.FORECAST:
        return list(FORECASTERS)
    return [AUTO] if kind == ModelGroup.Kind.INCIDENT else detectors_offered(hosts=hosts)


def every_offered() -> list[str]:
    """The names for all kinds."""
    kinds = [offered_for(kind, hosts=hosts) for kind in ModelGroup.Kind for hosts in (False, True)]
    return list(dict.fromkeys(name for names in kinds for name in names))


def save_group(group: ModelGroup, author: Author) -> ModelGroup:
    """Store a new or changed group; it is scored from its next tick on and learned from at once.

    Raises
    ------
    InvalidModelGroup, ValidationError
        Nothing is stored then.
    """
    with transaction.atomic():
        rows = ModelGroup.objects.for_tenant(group.tenant_id).filter(pk=group.pk)
        before = rows.select_for_update().first()
        if before is None:
            group.created_at = group.leased_until = author.now
        for name in _KEPT if before is not None else ():
            setattr(group, name, getattr(before, name))
        group.next_train_at = author.now
        if before is None or (before.step_s, before.enabled) != (group.step_s, group.enabled):
            group.next_due_at = next_tick(group, author)
        check_group(group)
        group.save()
        _record(group, author, "created" if before is None else "changed")
    return group


def check_group(group: ModelGroup) -> None:
    """Refuse what cannot be scored.

    Raises
    ------
    InvalidModelGroup, ValidationError
    """
    group.full_clean()
    check_terms(group)


def check_terms(group: ModelGroup) -> None:
    """As `check_group`, for a group whose fields are right one by one.

    Raises
    ------
    InvalidModelGroup
    """
    if group.host_label and (
        group.kind != ModelGroup.Kind.ANOMALY or not LABEL_NAME.fullmatch(group.host_label)
    ):
        raise InvalidModelGroup({"host_label": "accepts the name of a label, in groups of anomalies alone"})
    offered = offered_for(group.kind, hosts=bool(group.host_label))
    if group.detector not in offered:
        accepts = ", ".join(offered)
        raise InvalidModelGroup({"detector": f"is {group.detector!r}, accepts one of {accepts}"})
    _check_selector(group)
    if group.kind == ModelGroup.Kind.FORECAST:
        _check_horizons(group)
        return
    for name, bound in (
        ("warm_up_s", MAX_HISTORY_ROWS),
        ("retrain_interval_s", MAX_ROWS_BETWEEN_TRAININGS),
    ):
        if getattr(group, name) > bound * group.step_s:
            raise InvalidModelGroup({name: f"is {getattr(group, name)}, accepts {bound} steps at most"})


def _check_selector(group: ModelGroup) -> None:
    if group.kind == ModelGroup.Kind.INCIDENT:
        if group.selector:
            raise InvalidModelGroup({"selector": "incidents have none: they are the alerts"})
        if group.service_label and not LABEL_NAME.fullmatch(group.service_label):
            raise InvalidModelGroup({"service_label": f"{group.service_label!r} is not a name of a label"})
        return
    try:
        expr = parse(group.selector)
    except PlatformError as error:
        raise InvalidModelGroup({"selector": str(error)}) from None
    if not isinstance(expr, Selector) or expr.at is not None or expr.extension is not None:
        raise InvalidModelGroup({"selector": f"{group.selector!r} is not an instant vector selector"})
    if group.kind == ModelGroup.Kind.FORECAST and expr.offset:
        raise InvalidModelGroup(
            {"selector": f"{group.selector!r} has an offset, forecasts are told from now"}
        )


def _check_horizons(group: ModelGroup) -> None:
    asked = group.horizons_s
    whole = isinstance(asked, list) and all(type(one) is int and one % HOUR_S == 0 for one in asked)
    if not whole or not 0 < len(asked) <= MAX_HORIZONS or not 0 < min(asked) <= max(asked) <= MAX_HORIZON_S:
        accepts = f"1 to {MAX_HORIZONS} whole hours up to {MAX_HORIZON_S} s"
        raise InvalidModelGroup({"horizons_s": f"is {asked}, accepts {accepts}"})


def draft_group(tenant_id: UUID, values: Mapping[str, Any], author: Author) -> ModelGroup:
    """A group that is checked and not stored.

    Raises
    ------
    InvalidModelGroup, ValidationError
    """
    group = ModelGroup(tenant_id=tenant_id, **values)
    group.created_at = group.leased_until = group.next_due_at = group.next_train_at = author.now
    group.clean_fields()
    check_terms(group)
    return group


def next_tick(group: ModelGroup, author: Author) -> Any:
    """The first multiple of the step after now."""
    step_ms = group.step_s * 1000
    return to_datetime((from_datetime(author.now) // step_ms + 1) * step_ms)


def delete_group(group: ModelGroup, author: Author) -> None:
    """Remove a group and its versions; what it wrote stays."""
    with transaction.atomic():
        _record(group, author, "deleted")
        removed = group.pk
        group.delete()
        transaction.on_commit(lambda: remove_files(group.tenant_id, removed))


def train_soon(group: ModelGroup, author: Author) -> None:
    """Have the group learn at the next waking."""
    with transaction.atomic():
        ModelGroup.objects.for_tenant(group.tenant_id).filter(pk=group.pk).update(next_train_at=author.now)
        _record(group, author, "training_asked")


def promote(version: ModelVersion, author: Author) -> ModelVersion:
    """Let a version score from the next tick on; the champion retires."""
    with transaction.atomic():
        versions = _locked(version)
        versions.filter(status=ModelVersion.Status.CHAMPION).update(status=ModelVersion.Status.RETIRED)
        versions.filter(pk=version.pk).update(status=ModelVersion.Status.CHAMPION)
        _record(version.group, author, "version_promoted", version=version.number)
    version.status = ModelVersion.Status.CHAMPION
    return version


def retire(version: ModelVersion, author: Author) -> ModelVersion:
    """Take a version out of service; without a champion the robust detector scores."""
    with transaction.atomic():
        _locked(version).filter(pk=version.pk).update(status=ModelVersion.Status.RETIRED)
        _record(version.group, author, "version_retired", version=version.number)
    version.status = ModelVersion.Status.RETIRED
    return version


def shadow(version: ModelVersion, author: Author) -> ModelVersion:
    """Let a retired version score beside the champion, as the only challenger, in series no rule reads.

    Raises
    ------
    Conflict
        If it is the champion.
    """
    with transaction.atomic():
        versions = _locked(version)
        version.refresh_from_db(fields=["status"])
        if version.status == ModelVersion.Status.CHAMPION:
            raise Conflict(f"version {version.number} is the champion, only others score beside it")
        versions.filter(status=ModelVersion.Status.CHALLENGER).update(status=ModelVersion.Status.RETIRED)
        versions.filter(pk=version.pk).update(status=ModelVersion.Status.CHALLENGER, shadow={})
        _record(version.group, author, "version_shadowed", version=version.number)
    version.status, version.shadow = ModelVersion.Status.CHALLENGER, {}
    return version


def rollback(version: ModelVersion, author: Author) -> ModelVersion:
    """Let the version before this champion score again.

    Raises
    ------
    Conflict
        If it is not the champion, or there is none before it.
    """
    if version.status != ModelVersion.Status.CHAMPION:
        raise Conflict(f"version {version.number} is {version.status}, only the champion is rolled back")
    versions = ModelVersion.objects.for_tenant(version.tenant_id).filter(group_id=version.group_id)
    former = versions.filter(number__lt=version.number, status="retired").order_by("-number").first()
    if former is None:
        raise Conflict(f"there is no version before {version.number}")
    return promote(former, author)


def _locked(version: ModelVersion) -> Any:
    """The versions of the group, which is locked until the transaction ends."""
    ModelGroup.objects.for_tenant(version.tenant_id).select_for_update().get(pk=version.group_id)
    return ModelVersion.objects.for_tenant(version.tenant_id).filter(group_id=version.group_id)


def _record(group: ModelGroup, author: Author, action: str, **detail: Any) -> None:
    deed = Deed(author.name, f"model_group.{action}", str(group.pk), {"name": group.name, **detail})
    record(group.tenant_id, deed, at=author.now)
