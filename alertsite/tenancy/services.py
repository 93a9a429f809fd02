"""Making tenants, members and keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from alertsite.tenancy.models import ApiKey, Membership, Quota, Tenant, User
from alertsite.tenancy.scope import platform_scope

KEY_PREFIX = "as_"
SCOPES = ("read", "write", "ingest")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `secret` cannot be had again."""

    key: ApiKey
    secret: str


def create_tenant(
    slug: str, name: str, *, owner: User | None = None, quota: Mapping[str, int] | None = None
) -> Tenant:
    """A tenant with its quota, default where nothing else is said, and its owner where one is named."""
    with platform_scope(), transaction.atomic():
        tenant = Tenant(slug=slug, name=name)
        tenant.full_clean()
        tenant.save()
        bounds = Quota(tenant=tenant, **(quota or {}))
        bounds.full_clean(exclude=["tenant"])
        bounds.save()
        if owner is not None:
            Membership.objects.create(tenant=tenant, user=owner, role=Membership.Role.OWNER)
        return tenant


def change_tenant(tenant: Tenant, values: Mapping[str, Any]) -> None:
    """Change a tenant's name, slug or quota."""
    with platform_scope(), transaction.atomic():
        for name in ("slug", "name"):
            setattr(tenant, name, values.get(name, getattr(tenant, name)))
        tenant.full_clean()
        tenant.save()
        for name, value in values.get("quota", {}).items():
            setattr(tenant.quota, name, value)
        tenant.quota.full_clean(exclude=["tenant"])
        tenant.quota.save()


def create_api_key(name: str, *, tenant: Tenant | None, scopes: tuple[str, ...] = SCOPES) -> NewKey:
    """A key for a tenant, or with platform scope when `tenant` is None."""
    secret = new_secret()
    with platform_scope():
        key = ApiKey.objects.create(tenant=tenant, name=name, digest=digest_of(secret), scopes=list(scopes))
    return NewKey(key, secret)


def new_secret() -> str:
    """The text of a new key: 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is stored of a key. A plain digest serves: the key has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()
