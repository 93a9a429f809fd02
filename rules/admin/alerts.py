"""Admin of active alerts: what people do with them, and the whole story of each."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alertsite.web.admin import ReadOnlyAdmin
from rules.admin.presenting import author_of, pretty
from rules.models import AlertInstance
from rules.services import tracing
from rules.services.handling import Handler


def shown_story(row: Any, language: str) -> SafeString:
    """The story of an alert in words, and why people were or were not told."""
    found = tracing.trace(row.tenant_id, getattr(row, "alert_id", row.pk))
    if found is None:
        return SafeString("")
    entries, verdict = tracing.in_words(found, language)
    lines = format_html_join("", "<li>{} {}</li>", ((entry["at"][:19], entry["text"]) for entry in entries))
    return format_html("<p><strong>{}</strong></p><ol>{}</ol>", verdict, lines)


@admin.register(AlertInstance)
class AlertInstanceAdmin(ReadOnlyAdmin):
    list_display = [
        "__str__",
        "state",
        "tenant",
        "origin",
        "fired_at",
        "acknowledged_by",
        "assignee",
        "flapping",
    ]
    list_filter = ["tenant", "state", "origin", "flapping"]
    list_select_related = ["tenant"]
    fields = [
        "state",
        "origin",
        "rule",
        "value",
        "active_since",
        "fired_at",
        "acknowledged_by",
        "assignee",
        "snoozed_until",
        "closed_at",
        "flapping",
        "damped",
        "shown_labels",
        "shown_annotations",
        "story",
        "histoire",
        "silence_like_this",
    ]
    readonly_fields = fields
    actions = ["acknowledge", "resolve", "undamp"]

    @admin.display(description="labels")
    def shown_labels(self, row: AlertInstance) -> SafeString:
        return pretty(row.labels)

    @admin.display(description="annotations")
    def shown_annotations(self, row: AlertInstance) -> SafeString:
        return pretty(row.annotations)

    @admin.display(description="story")
    def story(self, row: AlertInstance) -> SafeString:
        return shown_story(row, "en")

    @admin.display(description="histoire")
    def histoire(self, row: AlertInstance) -> SafeString:
        return shown_story(row, "fr")

    @admin.display(description="silence")
    def silence_like_this(self, row: AlertInstance) -> SafeString:
        """A link to a silence that is filled in with the labels of the alert."""
        matchers = "\n".join(f"{name}={json.dumps(value)}" for name, value in sorted(row.labels.items()))
        query = urlencode({"tenant": row.tenant_id, "matchers": matchers})
        return format_html(
            '<a href="{}?{}">Silence alerts like this</a>', reverse("admin:rules_silence_add"), query
        )

    @admin.action(description="Acknowledge", permissions=["view"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[AlertInstance]) -> None:
        self._each_tenant(request, queryset, "acknowledge")

    @admin.action(description="Resolve by hand", permissions=["view"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[AlertInstance]) -> None:
        self._each_tenant(request, queryset, "resolve")

    @admin.action(description="Undo damping", permissions=["view"])
    def undamp(self, request: HttpRequest, queryset: QuerySet[AlertInstance]) -> None:
        self._each_tenant(request, queryset, "undamp")

    def _each_tenant(self, request: HttpRequest, queryset: QuerySet[AlertInstance], what: str) -> None:
        tenants = list(queryset.order_by().values_list("tenant_id", flat=True).distinct())
        changed = 0
        for tenant_id in tenants:
            ids = list(queryset.filter(tenant_id=tenant_id).values_list("pk", flat=True))
            changed += getattr(Handler(tenant_id, author_of(request)), what)(ids)
        messages.success(request, f"{changed} alerts changed")
