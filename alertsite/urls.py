"""The root of every route."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path


def answer_health(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """200 while the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [path("healthz", answer_health)]
