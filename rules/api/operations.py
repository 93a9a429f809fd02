"""What operators and their tools ask: is it alive, is it ready, how is it going."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from alertsite.web.credentials import READ, MissingScope
from alertsite.web.plain import credential_of
from alertsite.web.problems import status_of
from rules.services import measuring

LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})

registry = CollectorRegistry()
registry.register(measuring.PlatformCollector(SystemClock()))
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)


@require_safe
def health(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """200 while the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readiness(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """200 when PostgreSQL and Redis answer, else 503 with what does not."""
    found = measuring.faults()
    text = "\n".join(found) or "ready"
    return HttpResponse(f"{text}\n", status=503 if found else 200, content_type="text/plain")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text or OpenMetrics: for this machine, and for credentials with platform scope."""
    if request.META.get("REMOTE_ADDR") not in LOOPBACK:
        try:
            _check_platform(request)
        except PlatformError as error:
            return HttpResponse(f"{error}\n", status=status_of(error), content_type="text/plain")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(registry), content_type=content_type)


def _check_platform(request: HttpRequest) -> None:
    credential = credential_of(request)
    if not credential.platform or READ not in credential.platform_scopes:
        raise MissingScope("platform")
