"""Who is told, by REST: routes, time intervals, inhibition rules, silences, settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from alertsite.web.views import TenantView
from rules.api.serializers import DurationField
from rules.models import (
    AggregationGroup,
    EscalationPolicy,
    InhibitionRule,
    MuteTimeInterval,
    NotificationSettings,
    Receiver,
    Route,
    Silence,
    Suppression,
)
from rules.services import configuring, routes, silencing
from rules.services.authoring import Author
from rules.services.routing import settings_of
from rules.services.silencing import SilenceDraft


class ByPlace(CursorPages):
    """Routes as they stand in the tree."""

    ordering = ("position", "id")


class NewestSilence(CursorPages):
    """Silences, the newest first."""

    ordering = ("-starts_at", "id")


class OldestRule(CursorPages):
    """Inhibition rules in their order."""

    ordering = ("created_at", "id")


class NewestGroup(CursorPages):
    """Groups, the newest first."""

    ordering = ("-created_at", "id")


class NewestSuppression(CursorPages):
    """Suppressions, the newest first."""

    ordering = ("-at", "id")


class MatchersField(serializers.ListField):
    """Matchers in Alertmanager's notation, such as `severity="critical"`."""

    child = serializers.CharField(max_length=2_000)


class RouteSerializer(serializers.ModelSerializer[Route]):
    """A node of the routing tree; the root has no parent, and what is left out is inherited."""

    matchers = MatchersField(required=False, max_length=64)
    group_by = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, allow_null=True, max_length=64
    )
    group_wait = DurationField(source="group_wait_s", required=False, allow_null=True)
    group_interval = DurationField(source="group_interval_s", required=False, allow_null=True)
    repeat_interval = DurationField(source="repeat_interval_s", required=False, allow_null=True)
    mute_time_intervals = serializers.ListField(child=serializers.CharField(max_length=200), required=False)
    active_time_intervals = serializers.ListField(child=serializers.CharField(max_length=200), required=False)

    class Meta:
        model = Route
        fields = [
            "id",
            "parent",
            "position",
            "matchers",
            "receiver",
            "group_by",
            "group_wait",
            "group_interval",
            "repeat_interval",
            "mute_time_intervals",
            "active_time_intervals",
            "escalation_policy",
        ]
        read_only_fields = ["id"]

    def get_fields(self) -> dict[str, Any]:
        """The fields, with `continue`, which is no name Python allows, and references of the tenant alone."""
        fields = super().get_fields()
        fields["continue"] = serializers.BooleanField(source="continues", required=False)
        grant = getattr(self.context.get("view"), "grant", None)
        if grant is not None:
            for name, model in _REFERENCES.items():
                fields[name] = serializers.PrimaryKeyRelatedField(
                    queryset=model.objects.for_tenant(grant.tenant_id), required=False, allow_null=True
                )
        return fields


_REFERENCES: dict[str, Any] = {
    "parent": Route,
    "receiver": Receiver,
    "escalation_policy": EscalationPolicy,
}


class IntervalSerializer(serializers.ModelSerializer[MuteTimeInterval]):
    """A named set of times, as Alertmanager's `time_intervals`."""

    intervals = serializers.ListField(child=serializers.DictField(), max_length=100)

    class Meta:
        model = MuteTimeInterval
        fields = ["id", "name", "intervals"]
        read_only_fields = ["id"]


class InhibitionSerializer(serializers.ModelSerializer[InhibitionRule]):
    """While an alert that matches the source fires, those that match the target are not told."""

    source_matchers = MatchersField(max_length=64)
    target_matchers = MatchersField(max_length=64)
    equal = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=64)

    class Meta:
        model = InhibitionRule
        fields = ["id", "name", "source_matchers", "target_matchers", "equal", "enabled", "created_at"]
        read_only_fields = ["id", "created_at"]


class SilenceSerializer(serializers.ModelSerializer[Silence]):
    """A silence or maintenance window; its author is the credential."""

    matchers = MatchersField(max_length=64)

    class Meta:
        model = Silence
        read_only_fields = ["id", "author", "approved_by", "approved_at", "updated_at"]
        fields = [
            *read_only_fields,
            "kind",
            "matchers",
            "starts_at",
            "ends_at",
            "recurrence",
            "duration_s",
            "timezone",
            "comment",
            "ticket",
            "needs_approval",
        ]


class SettingsSerializer(serializers.ModelSerializer[NotificationSettings]):
    """What holds for all notifications of the tenant."""

    incident_labels = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=20
    )
    topology = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=400), min_length=2, max_length=2),
        required=False,
        max_length=10_000,
    )

    class Meta:
        model = NotificationSettings
        fields = [
            "resolve_timeout_s",
            "damp_flapping",
            "flapping_window_s",
            "flapping_changes",
            "incident_window_s",
            "incident_labels",
            "topology",
        ]


class GroupSerializer(serializers.ModelSerializer[AggregationGroup]):
    """A group of alerts on its way to a receiver."""

    class Meta:
        model = AggregationGroup
        fields = [
            "id",
            "receiver",
            "route",
            "group_key",
            "labels",
            "next_flush_at",
            "last_notified_at",
            "generation",
            "last_reason",
            "orphaned",
        ]


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    """That an alert was not told, and why."""

    class Meta:
        model = Suppression
        fields = ["alert_id", "group", "receiver_name", "at", "reason", "detail"]


class RoutingViewSet(EditableViewSet):
    """Base of what decides who is told: saved and removed by one service."""

    def rows(self) -> QuerySet[Any]:
        """Rows of the tenant."""
        model: Any = self.nothing.model
        rows: QuerySet[Any] = model.objects.for_tenant(self.grant.tenant_id)
        return rows

    def save(self, row: Any) -> Any:
        """Check and store."""
        return routes.save(row, self.author)

    def remove(self, row: Any) -> None:
        """Delete what nobody needs."""
        routes.delete(row, self.author)


class RouteViewSet(RoutingViewSet):
    """The routing tree, node by node."""

    nothing = Route.across_tenants.none()
    serializer_class = RouteSerializer
    pagination_class = ByPlace


class IntervalViewSet(RoutingViewSet):
    """Time intervals."""

    nothing = MuteTimeInterval.across_tenants.none()
    serializer_class = IntervalSerializer
    pagination_class = ByName


class InhibitionViewSet(RoutingViewSet):
    """Inhibition rules."""

    nothing = InhibitionRule.across_tenants.none()
    serializer_class = InhibitionSerializer
    pagination_class = OldestRule


class SilenceViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    TenantViewSet,
):
    """Silences and maintenance windows. They end; they are not deleted."""

    nothing = Silence.across_tenants.none()
    serializer_class = SilenceSerializer
    pagination_class = NewestSilence

    def rows(self) -> QuerySet[Silence]:
        """Silences of the tenant."""
        return Silence.objects.for_tenant(self.grant.tenant_id)

    def perform_create(self, serializer: serializers.BaseSerializer[Any]) -> None:
        """Make one."""
        draft = SilenceDraft(**serializer.validated_data)
        serializer.instance = silencing.create_silence(self.grant.tenant_id, draft, self.author)

    def perform_update(self, serializer: serializers.BaseSerializer[Any]) -> None:
        """Change one; what would rewrite history makes a new one and ends the old."""
        silence: Silence = serializer.instance  # type: ignore[assignment] # an update has one
        before = {name: getattr(silence, name) for name in SilenceDraft.__dataclass_fields__}
        draft = SilenceDraft(**before | serializer.validated_data)
        serializer.instance = silencing.change_silence(silence, draft, self.author)

    @action(detail=True, methods=["post"])
    def expire(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """End it now."""
        silence = silencing.expire_silence(self.get_object(), self.author)
        return Response(self.get_serializer(silence).data)

    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Let it work; not by its author."""
        silence = silencing.approve_silence(self.get_object(), self.author)
        return Response(self.get_serializer(silence).data)


class SettingsView(TenantView):
    """`/api/notification-settings/`."""

    @extend_schema(responses=SettingsSerializer)
    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's interface)
        """As they are."""
        return Response(SettingsSerializer(settings_of(self.grant.tenant_id)).data)

    @extend_schema(request=SettingsSerializer, responses=SettingsSerializer)
    def patch(self, request: Request) -> Response:
        """Change some."""
        row = settings_of(self.grant.tenant_id)
        asked = SettingsSerializer(row, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        for name, value in asked.validated_data.items():
            setattr(row, name, value)
        return Response(SettingsSerializer(routes.save(row, Author(self.actor, self.now))).data)


class AlertmanagerFileSerializer(serializers.Serializer[Any]):
    """A configuration of Alertmanager."""

    content = serializers.CharField(max_length=configuring.MAX_CHARACTERS, trim_whitespace=False)


class AlertmanagerFileView(TenantView):
    """`/api/routes/alertmanager/`: the whole of routing as Alertmanager's YAML."""

    @extend_schema(responses={200: dict[str, str]})
    def get(self, request: Request) -> Response:  # noqa: ARG002 (DRF's interface)
        """As a file that Alertmanager takes; secrets are left out."""
        return Response({"content": configuring.export_alertmanager(self.grant.tenant_id)})

    @extend_schema(request=AlertmanagerFileSerializer, responses={200: dict[str, Any]})
    def put(self, request: Request) -> Response:
        """Replace routes, intervals and inhibition rules; of a faulty file nothing is applied."""
        asked = AlertmanagerFileSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        author = Author(self.actor, self.now)
        report = configuring.import_alertmanager(
            self.grant.tenant_id, asked.validated_data["content"], author
        )
        return Response(
            {"routes": report.routes, "receivers": report.receivers, "not_taken": report.not_taken}
        )


class GroupViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Groups: what is due when, and what was decided last."""

    nothing = AggregationGroup.across_tenants.none()
    serializer_class = GroupSerializer
    pagination_class = NewestGroup

    def rows(self) -> QuerySet[AggregationGroup]:
        """Groups of the tenant."""
        return AggregationGroup.objects.for_tenant(self.grant.tenant_id)


class SuppressionViewSet(mixins.ListModelMixin, TenantViewSet):
    """What was not told, and why."""

    nothing = Suppression.across_tenants.none()
    serializer_class = SuppressionSerializer
    pagination_class = NewestSuppression

    def rows(self) -> QuerySet[Suppression]:
        """Suppressions of the tenant."""
        return Suppression.objects.for_tenant(self.grant.tenant_id)
