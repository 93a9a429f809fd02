"""DRF's authentication classes. Both put a `Credential` into `request.auth`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from alertsite.core.clock import SystemClock
from alertsite.web.credentials import Credential, KeyCache, credential_of_user, key_in_header

key_cache = KeyCache(SystemClock())


class Machine(AnonymousUser):
    """Whoever holds an API key: authenticated, but no person."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.username = name

    @property
    def is_authenticated(self) -> bool:  # type: ignore[override]
        """Always: the key was checked."""
        return True


class JwtAuthentication(JWTAuthentication):  # type: ignore[misc]
    """`Authorization: Bearer <JWT>`."""

    def authenticate(self, request: Request) -> tuple[Any, Credential] | None:
        """The person and their credential; None when the header holds something else."""
        if key_in_header(request.headers.get("Authorization", "")) is not None:
            return None
        found = super().authenticate(request)
        return None if found is None else (found[0], credential_of_user(found[0]))


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer as_…`, or HTTP basic with the key as password."""

    def authenticate(self, request: Request) -> tuple[Machine, Credential] | None:
        """The machine and its credential; None when the header holds no key."""
        secret = key_in_header(request.headers.get("Authorization", ""))
        if secret is None:
            return None
        credential = key_cache.credential(secret)
        return Machine(credential.actor), credential

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 (DRF's interface)
        """What a client is asked for."""
        return 'Bearer realm="alertsite"'


class JwtScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    """For the OpenAPI document."""

    target_class = JwtAuthentication
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[misc]
    """For the OpenAPI document."""

    target_class = ApiKeyAuthentication
    name = "api key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer"}
