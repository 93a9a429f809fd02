"""DRF's authentication classes. Both put a `Credential` into `request.auth`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from alertsite.core.clock import SystemClock
from alertsite.tenancy.models import User
from alertsite.web.credentials import Credential, KeyCache, credential_of_user, key_in_header

key_cache = KeyCache(SystemClock())


@dataclass(frozen=True, slots=True)
class Machine:
    """Whoever holds an API key: authenticated, but no person."""

    username: str
    pk: None = None
    is_authenticated: bool = True


class JwtAuthentication(BaseAuthentication):
    """`Authorization: Bearer <JWT>`."""

    def __init__(self) -> None:
        self._jwt = JWTAuthentication()

    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        """The person and their credential; None when the header holds something else."""
        if key_in_header(request.headers.get("Authorization", "")) is not None:
            return None
        found = self._jwt.authenticate(request)
        if found is None:
            return None
        user = found[0]
        assert isinstance(user, User)
        return user, credential_of_user(user)

    def authenticate_header(self, request: Request) -> str:
        """What a client is asked for."""
        return str(self._jwt.authenticate_header(request))


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


class JwtScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """For the OpenAPI document."""

    target_class = JwtAuthentication
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """For the OpenAPI document."""

    target_class = ApiKeyAuthentication
    name = "api key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002
        """HTTP bearer."""
        return {"type": "http", "scheme": "bearer"}
