"""Admin of what stands between an alert and people, to be looked at."""

from __future__ import annotations

from django.contrib import admin

from alertsite.web.admin import ReadOnlyAdmin
from rules.models import (
    AggregationGroup,
    AlertAction,
    Escalation,
    EscalationStep,
    Feedback,
    GroupedAlert,
    Incident,
    IncidentAlert,
    Suppression,
    ToldAlert,
)


class ShownAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "tenant"]
    list_filter = ["tenant"]
    list_select_related = ["tenant"]


for shown in (
    AggregationGroup,
    AlertAction,
    Escalation,
    EscalationStep,
    Feedback,
    GroupedAlert,
    Incident,
    IncidentAlert,
    Suppression,
    ToldAlert,
):
    admin.site.register(shown, ShownAdmin)
