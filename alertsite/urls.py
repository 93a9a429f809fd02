"""The root of every route."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from rest_framework.routers import SimpleRouter

from alertsite.web.tenants import ApiKeyViewSet, TenantViewSet
from alertsite.web.tokens import Docs, RefreshedToken, Schema, Token
from rules.api import ingestion


def answer_health(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """200 while the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


platform = SimpleRouter(use_regex_path=False)
platform.register("tenants", TenantViewSet, basename="tenant")
platform.register("api-keys", ApiKeyViewSet, basename="api-key")

api = [
    path("token/", Token.as_view()),
    path("token/refresh/", RefreshedToken.as_view()),
    path("schema/", Schema.as_view(), name="schema"),
    path("series/", ingestion.json_lines),
    *platform.urls,
    path("", include("rules.api.urls")),
]

urlpatterns = [
    path("healthz", answer_health),
    path("api/", include(api)),
    path("docs", Docs.as_view(url_name="schema")),
    path("prometheus/api/v1/", include("rules.api.prometheus")),
    path("admin/", admin.site.urls),
]
