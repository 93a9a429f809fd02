"""Limits, counted in PostgreSQL.

Whoever reserves holds the tenant's lock until its reservation is stored, so that of any number of runs at
once none sees a count that another is about to change.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Count, Max, Q, Sum

from cloud.adapters.protocol import Sight
from cloud.adapters.vocabulary import VOCABULARY
from healing.approvals.blast_radius import (
    LimitReason,
    Limits,
    Reach,
    Reserved,
    Starting,
    StartLimits,
    StartReason,
    TenantLimits,
    admit,
    may_start,
)
from healing.models import HealingRun, HealingStep
from healing.playbooks.schema import LimitTerms

HOUR: Final = timedelta(hours=1)
_GROUP_FIELDS: Final = ("group", "service", "function", "database", "space")


def hold_tenant(run: HealingRun) -> None:
    """Let nobody else of this tenant reserve until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"healing:{run.tenant_id}"])


def start_reason(
    run: HealingRun, terms: LimitTerms, tenant: TenantLimits, *, breaker_open: bool, now: datetime
) -> StartReason:
    """Whether the run may begin now. Called with the tenant held."""
    runs = HealingRun.objects.for_tenant(run.tenant_id).exclude(pk=run.pk).filter(dry=False)
    active = runs.filter(began_at__isnull=False, finished_at=None)
    counts = active.aggregate(
        of_tenant=Count("pk"), of_playbook=Count("pk", filter=Q(playbook_id=run.playbook_id))
    )
    last = runs.filter(playbook_id=run.playbook_id, target=run.target, first_action_at__isnull=False)
    last_at = last.aggregate(last=Max("first_action_at"))["last"]
    state = Starting(
        breaker_open=breaker_open,
        since_last_ms=None if last_at is None else (now - last_at) // timedelta(milliseconds=1),
        running=counts["of_playbook"],
        running_of_tenant=counts["of_tenant"],
    )
    return may_start(state, StartLimits(terms.cool_down, terms.concurrent, tenant.concurrent))


def reserve(
    step: HealingStep, sight: Sight, terms: LimitTerms, tenant: TenantLimits, *, now: datetime
) -> LimitReason:
    """Count the resources that a step would touch, if the limits leave room. Called with the tenant held."""
    step.resource_class = VOCABULARY[step.word].resource_class
    step.resource_group = group_of(step)
    step.resources, step.group_size = sorted(sight.resources), sight.group_size
    reason = admit(
        Reach(frozenset(sight.resources), sight.group_size),
        _reserved(step, now),
        Limits(
            per_run=terms.per_run,
            per_hour=terms.per_hour,
            tenant_hour=tenant.hour,
            class_hour=tenant.class_hour.get(step.resource_class, tenant.hour),
            share=min(terms.share, tenant.share),
        ),
    )
    if reason is LimitReason.WITHIN:
        step.reserved, step.reserved_at = max(len(sight.resources), 1), now
    return reason


def reserve_undo(step: HealingStep, *, now: datetime) -> None:
    """Taking back touches what the run was allowed to touch, and counts nothing."""
    step.reserved, step.reserved_at = 0, now


def _reserved(step: HealingStep, now: datetime) -> Reserved:
    own = HealingStep.objects.for_tenant(step.tenant_id).filter(reserved__gt=0).exclude(pk=step.pk)
    recent = own.filter(reserved_at__gt=now - HOUR)
    counts = recent.aggregate(
        tenant=Sum("reserved"),
        playbook=Sum("reserved", filter=Q(run__playbook_id=step.run.playbook_id)),
        of_class=Sum("reserved", filter=Q(resource_class=step.resource_class)),
    )
    by_run = own.filter(run_id=step.run_id).aggregate(total=Sum("reserved"))["total"]
    group = recent.filter(resource_group=step.resource_group) if step.resource_group else recent.none()
    names: list[list[str]] = list(group.values_list("resources", flat=True)) if step.group_size else []
    return Reserved(
        by_run=by_run or 0,
        by_playbook=counts["playbook"] or 0,
        by_tenant=counts["tenant"] or 0,
        of_class=counts["of_class"] or 0,
        of_group=frozenset(name for row in names for name in row),
    )


def group_of(step: HealingStep) -> str:
    """What the resources of a step are a part of, with its account; its class if it names nothing."""
    named = next((str(step.inputs[name]) for name in _GROUP_FIELDS if step.inputs.get(name)), "")
    place = step.inputs.get("place") or step.inputs.get("space") or ""
    return "/".join((step.account, step.resource_class, str(place), named))[:600]
