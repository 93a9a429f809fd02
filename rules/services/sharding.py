"""Keeping groups in shards: which slice a group belongs to, and what a shard contains."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.db.models import Count, F, Q

from alertsite.core.clock import from_datetime, to_datetime
from rules.evaluation.shards import phase_of, slot_of, slots_for
from rules.evaluation.ticks import Timetable
from rules.models import Rule, RuleGroup, Shard
from rules.services.sizes import RULES_A_SHARD, size_of

SPREAD_AT_ONCE: Final = 20
GROUPS_AT_ONCE: Final = 2_000


def place_group(group: RuleGroup, *, now: datetime) -> None:
    """Put a group into its shard and mark what the shard contains as changed.

    Called in the transaction that saves the group or one of its rules.
    """
    _lock_layout(group.tenant_id)
    left = group.shard
    active = Rule.objects.for_tenant(group.tenant_id).filter(
        state=Rule.State.ACTIVE, group__interval_s=group.interval_s
    )
    slots = max(slots_for(active.count(), size_of(RULES_A_SHARD)), _slots_in_use(group))
    group.shard = _shard(group, slot_of(group.id, slots=slots), now=now)
    group.save(update_fields=["shard"])
    refresh_shard(group.shard)
    if left is not None and left != group.shard:
        refresh_shard(left)


def _lock_layout(tenant_id: object) -> None:
    """One writer of a tenant's layout at a time, until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"shards:{tenant_id}"])


def _slots_in_use(group: RuleGroup) -> int:
    """Slices never shrink by themselves: moving groups back and forth would cost more than an idle slice."""
    return Shard.objects.for_tenant(group.tenant_id).filter(interval_s=group.interval_s).count()


def _shard(group: RuleGroup, slot: int, *, now: datetime) -> Shard:
    interval_ms = group.interval_s * 1000
    phase_ms = phase_of(group.tenant_id, slot, interval_ms=interval_ms)
    first_ms = Timetable(interval_ms, phase_ms).first_after(from_datetime(now))
    shard: Shard
    shard, _ = Shard.across_tenants.get_or_create(
        tenant_id=group.tenant_id,
        interval_s=group.interval_s,
        slot=slot,
        defaults={"phase_ms": phase_ms, "next_due_at": to_datetime(first_ms), "leased_until": now},
    )
    if shard.rule_count == 0:
        # It slept while it was empty: the ticks in between were nobody's.
        Shard.across_tenants.filter(pk=shard.pk, rule_count=0).update(next_due_at=to_datetime(first_ms))
    return shard


def hold_group(group: RuleGroup) -> None:
    """Keep evaluation of the group's shard from committing until this transaction ends.

    Called first in every transaction that changes rules: what is active is then what the change finds, and a
    tick that was evaluated meanwhile with the old rules sees that they changed and is evaluated again.
    """
    _lock_layout(group.tenant_id)
    if group.shard_id is not None:
        list(Shard.across_tenants.filter(pk=group.shard_id).select_for_update().values_list("pk"))


def refresh_shard(shard: Shard) -> None:
    """Count the shard's active rules and mark its content as changed."""
    counted = Shard.across_tenants.filter(pk=shard.pk).aggregate(
        active=Count("groups__rules", filter=Q(groups__rules__state=Rule.State.ACTIVE))
    )
    Shard.across_tenants.filter(pk=shard.pk).update(
        rule_count=counted["active"], content_version=F("content_version") + 1
    )


def spread(*, now: datetime) -> int:
    """Place the groups of shards anew that hold more rules than a shard may, some at a time. Groups that
    were looked at.
    """
    large = Shard.across_tenants.filter(rule_count__gt=size_of(RULES_A_SHARD)).order_by("-rule_count")
    groups = RuleGroup.across_tenants.filter(shard__in=list(large[:SPREAD_AT_ONCE]))
    placed = 0
    for group in groups.order_by("pk")[:GROUPS_AT_ONCE]:
        with transaction.atomic():
            hold_group(group)
            place_group(group, now=now)
        placed += 1
    return placed
