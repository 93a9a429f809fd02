"""Authentication of views that speak another protocol than DRF's: ingestion, Prometheus, metrics.

They are plain Django views, since DRF's machinery costs more than what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed, InvalidToken

from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import User
from alertsite.tenancy.scope import tenant_scope
from alertsite.web.authentication import key_cache
from alertsite.web.credentials import (
    TENANT_HEADER,
    Credential,
    Grant,
    MissingScope,
    NotAuthenticated,
    credential_of_user,
    key_in_header,
)

TenantHandler = Callable[..., HttpResponse]
Presenter = Callable[[PlatformError], HttpResponse]


def credential_of(request: HttpRequest) -> Credential:
    """The credential in the `Authorization` header.

    Raises
    ------
    NotAuthenticated
    """
    header = request.headers.get("Authorization", "")
    secret = key_in_header(header)
    if secret is not None:
        return key_cache.credential(secret)
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer":
        raise NotAuthenticated("an Authorization header with an API key or a JWT is needed")
    jwt = JWTAuthentication()
    try:
        user: AbstractBaseUser = jwt.get_user(jwt.get_validated_token(token.encode()))
    except (InvalidToken, AuthenticationFailed):
        raise NotAuthenticated("the token is malformed, expired or of somebody who may not log in") from None
    assert isinstance(user, User)
    return credential_of_user(user)


def for_tenant(scope: str, present: Presenter) -> Callable[[TenantHandler], TenantHandler]:
    """Run a view for the tenant of its credential, which needs this scope; `present` answers what is refused.

    The view gets the request and the grant. It is exempt from CSRF checks, since a browser sends no such
    header
    by itself.
    """

    def decorate(handler: TenantHandler) -> TenantHandler:
        """The view of a handler."""

        @csrf_exempt
        @wraps(handler)
        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            """Check the credential and its scope, then answer as its tenant."""
            try:
                grant: Grant = credential_of(request).grant_for(request.headers.get(TENANT_HEADER))
                if scope not in grant.scopes:
                    raise MissingScope(scope)
                with tenant_scope(grant.tenant_id):
                    return handler(request, grant, *args, **kwargs)
            except PlatformError as error:
                return present(error)

        view.required_scope = scope  # type: ignore[attr-defined] # the architecture tests look for it
        return view

    return decorate
