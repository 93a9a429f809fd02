"""Conditions on anomalies: the model group behind each is made or found when the rule is saved.

In: a tenant, a condition, its author. Out: nothing. Refused: groups that whoever scores series refuses. Rules
know no models: who makes groups is named by the setting `ANOMALY_MODEL_GROUPS`, a function as
`EnsureModelGroup`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from rules.language.conditions import Anomaly, anomalies_in


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
