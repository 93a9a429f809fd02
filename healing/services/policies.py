"""What a tenant allows all of its playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from cloud.adapters.vocabulary import RESOURCE_CLASSES
from healing.approvals.blast_radius import TenantLimits
from healing.models import HealingPolicy

_TERMS: Final = ("low", "medium", "high", "per_hour", "per_class_hour", "share", "concurrent")


def policy_of(tenant_id: UUID) -> HealingPolicy:
    """The tenant's policy; the default, not stored, if it has none."""
    return HealingPolicy.objects.for_tenant(tenant_id).first() or HealingPolicy(tenant_id=tenant_id)


def needs_of(policy: HealingPolicy) -> Mapping[str, str]:
    """Who must approve, by risk."""
    return {"low": policy.low, "medium": policy.medium, "high": policy.high}


def limits_of(policy: HealingPolicy) -> TenantLimits:
    """How much may be touched."""
    return TenantLimits(policy.per_hour, dict(policy.per_class_hour), policy.share, policy.concurrent)


def save_policy(policy: HealingPolicy, author: Author) -> HealingPolicy:
    """Store a policy.

    Raises
    ------
    ValidationError
    """
    policy.full_clean()
    known = set(RESOURCE_CLASSES.values())
    limits = policy.per_class_hour
    if not isinstance(limits, dict) or not all(
        name in known and isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0
        for name, limit in limits.items()
    ):
        raise ValidationError({"per_class_hour": f"a count for each of {', '.join(sorted(known))}"})
    with transaction.atomic():
        policy.save()
        detail = {name: getattr(policy, name) for name in _TERMS}
        deed = Deed(author.name, "healing_policy.saved", f"healing_policy:{policy.tenant_id}", detail)
        record(policy.tenant_id, deed, at=author.now)
    return policy
