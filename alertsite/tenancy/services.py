"""Making tenants, members and keys."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

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


def create_tenant(slug: str, name: str, *, owner: User | None = None) -> Tenant:
    """A tenant with its default quota and, where given, its owner."""
    with platform_scope(), transaction.atomic():
        tenant = Tenant(slug=slug, name=name)
        tenant.full_clean()
        tenant.save()
        Quota.objects.create(tenant=tenant)
        if owner is not None:
            Membership.objects.create(tenant=tenant, user=owner, role=Membership.Role.OWNER)
        return tenant


def create_api_key(name: str, *, tenant: Tenant | None, scopes: tuple[str, ...] = SCOPES) -> NewKey:
    """A key for a tenant, or with platform scope when `tenant` is None."""
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    with platform_scope():
        key = ApiKey.objects.create(tenant=tenant, name=name, digest=digest_of(secret), scopes=list(scopes))
    return NewKey(key, secret)


def digest_of(secret: str) -> str:
    """What is stored of a key. A plain digest serves: the key has 256 random bits, nobody guesses it."""
    return hashlib.sha256(secret.encode()).hexdigest()
