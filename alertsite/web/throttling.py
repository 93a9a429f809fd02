"""Rate limits by credential and class of view. Machines and people with platform scope are not limited."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import ScopedRateThrottle

from alertsite.web.credentials import Credential


class CredentialThrottle(ScopedRateThrottle):
    """Counts by who asks; requests without a credential by their address."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the request is within its rate."""
        if isinstance(request.auth, Credential) and request.auth.platform:
            return True
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: Any) -> str | None:  # noqa: ARG002 (DRF's interface)
        """One count for each credential and class."""
        credential = request.auth
        ident = credential.actor if isinstance(credential, Credential) else self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}
