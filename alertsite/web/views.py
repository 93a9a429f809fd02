"""The base of every REST view: authenticated, scoped to a tenant, with a declared scope and rate class."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.views import APIView

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.scope import tenant_scope
from alertsite.web.credentials import READ, TENANT_HEADER, WRITE, Credential, Grant, MissingScope

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class TenantView(APIView):
    """Runs inside the tenant of the request: PostgreSQL shows and takes rows of that tenant alone.

    A view may set `write_scope` to what its unsafe methods need, and `reads_with_post` when its POST changes
    nothing. `request.grant` names the tenant.
    """

    write_scope: ClassVar[str] = WRITE
    throttle_scope: str | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Serve the request; leave the tenant's scope however it ends."""
        with ExitStack() as scope:
            self.tenant_scope = scope
            response = super().dispatch(request, *args, **kwargs)
            if hasattr(response, "render"):
                response.render()  # lazy rows are read inside the scope
            return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check rate, credential, tenant and scope, in this order; then enter the tenant's scope."""
        self.throttle_scope = "read" if request.method in SAFE_METHODS else self.write_scope
        super().initial(request, *args, **kwargs)
        credential = request.auth
        if not isinstance(credential, Credential):
            raise exceptions.NotAuthenticated
        grant = credential.grant_for(request.headers.get(TENANT_HEADER))
        needed = READ if request.method in SAFE_METHODS else self.write_scope
        if needed not in grant.scopes:
            raise MissingScope(needed)
        self.tenant_scope.enter_context(tenant_scope(grant.tenant_id))
        self.grant = grant

    tenant_scope: ExitStack
    grant: Grant

    @property
    def actor(self) -> str:
        """Who asks, for versions and the audit chain."""
        assert isinstance(self.request.auth, Credential)
        return self.request.auth.actor

    @property
    def now(self) -> Any:
        """The moment of the request."""
        return to_datetime(SystemClock().now_ms())
