"""Incidents by REST: alerts that belong together, each with the reason."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from rest_framework import mixins, serializers

from alertsite.web.pagination import CursorPages
from alertsite.web.resources import TenantViewSet
from rules.models import Incident, IncidentAlert


class NewestIncident(CursorPages):
    """Incidents, the newest first."""

    ordering = ("-started_at", "id")


class IncidentAlertSerializer(serializers.ModelSerializer[IncidentAlert]):
    """An alert in an incident, and why it is there."""

    class Meta:
        model = IncidentAlert
        fields = ["alert_id", "labels", "started_at", "reason", "evidence"]


class IncidentSerializer(serializers.ModelSerializer[Incident]):
    """An incident with its alerts, in the order in which they began."""

    alerts = IncidentAlertSerializer(many=True)

    class Meta:
        model = Incident
        fields = ["id", "title", "started_at", "last_at", "ended_at", "alerts"]


class IncidentFilter(django_filters.FilterSet):  # type: ignore[misc] # no types
    """`open=true` leaves out those that have ended."""

    open = django_filters.BooleanFilter(field_name="ended_at", lookup_expr="isnull")

    class Meta:
        model = Incident
        fields: tuple[str, ...] = ()


class IncidentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Incidents of the tenant."""

    nothing = Incident.across_tenants.none()
    serializer_class = IncidentSerializer
    filterset_class = IncidentFilter
    pagination_class = NewestIncident

    def rows(self) -> QuerySet[Incident]:
        """With their alerts."""
        return Incident.objects.for_tenant(self.grant.tenant_id).prefetch_related("alerts")
