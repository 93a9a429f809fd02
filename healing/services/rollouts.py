"""Rollouts as playbooks of a tenant, watched by alerts that the tenant or the platform can raise."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from healing.automation.rollouts import Watch
from healing.services.maintaining import FAILED
from healing.services.telling import OWN
from rules.models import Rule
from rules.services import selfalerts

PLATFORM: Final = frozenset({selfalerts.OVERFLOW, selfalerts.DEAD_LETTER, selfalerts.CANARY, FAILED}) | OWN
"""Alerts that the platform itself raises."""


def check_watch(tenant_id: UUID, watch: Watch) -> Watch:
    """The watch, if every alert that it names can fire.

    Raises
    ------
    InvalidParameter, UnknownAlert
    """
    rules = Rule.objects.for_tenant(tenant_id).filter(state=Rule.State.ACTIVE, kind=Rule.Kind.ALERTING)
    watch.check(PLATFORM | set(rules.values_list("name", flat=True)))
    return watch
