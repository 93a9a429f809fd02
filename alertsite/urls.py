"""The root of every route."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from rest_framework.routers import SimpleRouter

from alertsite.web.tenants import ApiKeyViewSet, TenantViewSet
from alertsite.web.tokens import Docs, RefreshedToken, Schema, Token
from healing.api.links import ApprovalLinkView
from rules.api import ingestion, links, operations, otlp, people

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
    path("", include("cloud.api.urls")),
    path("", include("ml.api.urls")),
    path("", include("healing.api.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", operations.health),
    path("readyz", operations.readiness),
    path("metrics", operations.metrics),
    path("v1/metrics", otlp.export_metrics),
    path("api/", include(api)),
    path("docs", Docs.as_view(url_name="schema")),
    path("prometheus/api/v1/", include("rules.api.prometheus")),
    path("alertmanager/api/v2/", include("rules.api.alertmanager")),
    path("act/<str:token>/", links.LinkView.as_view()),
    path("heal/<str:token>/", ApprovalLinkView.as_view()),
    path("ical/<str:token>/schedule.ics", people.CalendarView.as_view()),
    path("admin/", admin.site.urls),
]
