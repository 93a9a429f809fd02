"""How much may be touched: by one run, by a tenant, of one class of resources, in an hour, of one group.

In: what an action would touch, what was reserved before, the limits. Out: a named reason. It counts what was
reserved, not what was done: an action whose answer was lost may have been done.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field


class LimitReason(enum.StrEnum):
    """Why an action may be taken now, or not."""

    WITHIN = "within"
    PER_RUN = "per_run"
    PER_HOUR = "per_hour"
    TENANT_HOUR = "tenant_hour"
    CLASS_HOUR = "class_hour"
    SHARE = "share"


class StartReason(enum.StrEnum):
    """Why a run may begin now, or not."""

    FREE = "free"
    BREAKER_OPEN = "breaker_open"
    COOL_DOWN = "cool_down"
    CONCURRENT = "concurrent"
    TENANT_CONCURRENT = "tenant_concurrent"


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts of resources. `share` of a group, of which one is always allowed."""

    per_run: int
    per_hour: int
    tenant_hour: int
    class_hour: int
    share: float


@dataclass(frozen=True, slots=True)
class Reach:
    """What an action would touch."""

    resources: frozenset[str]
    group_size: int | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """Resources reserved before: by the run, and in the last hour."""

    by_run: int = 0
    by_playbook: int = 0
    by_tenant: int = 0
    of_class: int = 0
    of_group: frozenset[str] = frozenset()


def admit(reach: Reach, before: Reserved, limits: Limits) -> LimitReason:
    """Whether the action may be taken now."""
    count = max(len(reach.resources), 1)
    for reason, reserved, limit in (
        (LimitReason.PER_RUN, before.by_run, limits.per_run),
        (LimitReason.PER_HOUR, before.by_playbook, limits.per_hour),
        (LimitReason.TENANT_HOUR, before.by_tenant, limits.tenant_hour),
        (LimitReason.CLASS_HOUR, before.of_class, limits.class_hour),
    ):
        if reserved + count > limit:
            return reason
    if reach.group_size is not None:
        together = len(before.of_group | reach.resources)
        if together > max(1, math.floor(limits.share * reach.group_size)):
            return LimitReason.SHARE
    return LimitReason.WITHIN


@dataclass(frozen=True, slots=True)
class Starting:
    """What is known when a run would begin."""

    breaker_open: bool = False
    since_last_ms: int | None = None
    """Since the playbook last acted on this target; None if it never has."""
    running: int = 0
    """Other runs of the playbook."""
    running_of_tenant: int = 0


@dataclass(frozen=True, slots=True)
class StartLimits:
    """Milliseconds, and counts of runs."""

    cool_down_ms: int
    concurrent: int
    tenant_concurrent: int


def may_start(state: Starting, limits: StartLimits) -> StartReason:
    """Whether a run may begin now."""
    if state.breaker_open:
        return StartReason.BREAKER_OPEN
    if state.since_last_ms is not None and state.since_last_ms < limits.cool_down_ms:
        return StartReason.COOL_DOWN
    if state.running >= limits.concurrent:
        return StartReason.CONCURRENT
    if state.running_of_tenant >= limits.tenant_concurrent:
        return StartReason.TENANT_CONCURRENT
    return StartReason.FREE


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """What holds for all playbooks of a tenant."""

    hour: int = 200
    class_hour: Mapping[str, int] = field(default_factory=dict)
    """By class of resources; others may have `hour`."""
    share: float = 0.5
    concurrent: int = 50
