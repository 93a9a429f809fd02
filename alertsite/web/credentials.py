"""Who is asking, and for which tenant they may.

A credential is a JWT of a person or an API key of a machine. The tenant comes from the credential; the header
`X-Scope-OrgID` only chooses among the tenants a credential has.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from alertsite.core.clock import Clock, to_datetime
from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import ApiKey, Membership, Tenant, User
from alertsite.tenancy.scope import platform_scope
from alertsite.tenancy.services import KEY_PREFIX, digest_of

READ, WRITE, INGEST = "read", "write", "ingest"
TENANT_HEADER: Final = "X-Scope-OrgID"

_ROLE_SCOPES: Final = {
    Membership.Role.OWNER: frozenset({READ, WRITE, INGEST}),
    Membership.Role.MEMBER: frozenset({READ, WRITE, INGEST}),
    Membership.Role.VIEWER: frozenset({READ}),
}
_EVERYTHING: Final = frozenset({READ, WRITE, INGEST})


class NotAuthenticated(PlatformError):
    """The credential is missing, unknown, expired or revoked."""

    code = "not_authenticated"


class ForeignTenant(PlatformError):
    """The credential names a tenant that is not its own. Whether it exists is not said."""

    code = "tenant.foreign"

    def __init__(self, slug: str) -> None:
        super().__init__(f"this credential may not act for the tenant {slug!r}")


class TenantNotNamed(PlatformError):
    """The credential may act for several tenants, or for any, and the request names none."""

    code = "tenant.not_named"

    def __init__(self, slugs: list[str]) -> None:
        choice = ", ".join(slugs) if slugs else "any tenant"
        super().__init__(
            f"name the tenant in the header {TENANT_HEADER}: this credential may act for {choice}"
        )


class MissingScope(PlatformError):
    """The credential does not allow this kind of request."""

    code = "scope.missing"

    def __init__(self, scope: str) -> None:
        super().__init__(f"this credential lacks the scope {scope!r}")


@dataclass(frozen=True, slots=True)
class Grant:
    """One tenant that a credential may act for, and how."""

    tenant_id: UUID
    slug: str
    scopes: frozenset[str]
    actor: str
    """Who acts, for versions and the audit chain."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who is asking. With platform scope, for any tenant."""

    actor: str
    platform: bool
    grants: Mapping[str, Grant]
    """By slug."""
    platform_scopes: frozenset[str] = _EVERYTHING

    def grant_for(self, slug: str | None) -> Grant:
        """The tenant this request is for.

        Raises
        ------
        ForeignTenant, TenantNotNamed
        """
        if slug is None:
            if len(self.grants) != 1:
                raise TenantNotNamed(sorted(self.grants))
            return next(iter(self.grants.values()))
        if slug in self.grants:
            return self.grants[slug]
        if self.platform:
            with platform_scope():
                tenant_id = Tenant.objects.filter(slug=slug).values_list("pk", flat=True).first()
            if tenant_id is not None:
                return Grant(tenant_id, slug, self.platform_scopes, self.actor)
        raise ForeignTenant(slug)


def credential_of_user(user: User) -> Credential:
    """A person's credential: their memberships, and platform scope for superusers."""
    actor = user.get_username()
    with platform_scope():
        memberships = list(Membership.across_tenants.filter(user=user).select_related("tenant"))
    grants = {
        one.tenant.slug: Grant(one.tenant_id, one.tenant.slug, _ROLE_SCOPES[Membership.Role(one.role)], actor)
        for one in memberships
    }
    return Credential(actor, user.is_superuser, grants)


def credential_of_key(secret: str, *, now: datetime) -> tuple[Credential, datetime | None]:
    """A machine's credential, and when it ends.

    Raises
    ------
    NotAuthenticated
        If no key has this secret, or it is revoked or expired.
    """
    with platform_scope():
        key = ApiKey.objects.select_related("tenant").filter(digest=digest_of(secret)).first()
    if key is None or key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now):
        raise NotAuthenticated("the API key is unknown, revoked or expired")
    scopes, actor = frozenset(key.scopes), f"key:{key.name}"
    if key.tenant is None:
        return Credential(actor, platform=True, grants={}, platform_scopes=scopes), key.expires_at
    grant = Grant(key.tenant.pk, key.tenant.slug, scopes, actor)
    return Credential(actor, platform=False, grants={grant.slug: grant}), key.expires_at


class KeyCache:
    """Credentials of API keys, kept for a short time: a writer sends many requests with one key.

    A revoked key works until its entry is too old, at most `TTL_S` seconds.
    """

    TTL_S: Final = 10
    LIMIT: Final = 10_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, tuple[int, Credential]] = {}
        self._lock = threading.Lock()

    def credential(self, secret: str) -> Credential:
        """The key's credential, looked up when it is not known or its entry is too old."""
        now_ms = self._clock.now_ms()
        known = self._known.get(secret)
        if known is not None and now_ms < known[0]:
            return known[1]
        credential, expires_at = credential_of_key(secret, now=to_datetime(now_ms))
        until_ms = now_ms + self.TTL_S * 1000
        if expires_at is not None:
            until_ms = min(until_ms, round(expires_at.timestamp() * 1000))
        with self._lock:
            if len(self._known) >= self.LIMIT:
                self._known.clear()
            self._known[secret] = until_ms, credential
        return credential


def key_in_header(header: str) -> str | None:
    """The API key in an `Authorization` header: a bearer token, or the password of HTTP basic. None if
    neither.
    """
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value if value.startswith(KEY_PREFIX) else None
    if kind.lower() != "basic":
        return None
    try:
        password = base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password if password.startswith(KEY_PREFIX) else None
