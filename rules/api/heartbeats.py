"""Heartbeats by REST, and the addresses that jobs call."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.pagination import ByName
from alertsite.web.resources import EditableViewSet
from rules.api.serializers import DurationField, TextsField
from rules.api.tokened import TokenView
from rules.models import Heartbeat
from rules.services import heartbeats
from rules.services.heartbeats import NewHeartbeat, Outcome


class HeartbeatSerializer(serializers.ModelSerializer[Heartbeat]):
    """A job that must call home."""

    period = DurationField(source="period_s", required=False)
    grace = DurationField(source="grace_s", required=False)
    labels = TextsField(required=False)
    annotations = TextsField(required=False)
    status = serializers.SerializerMethodField()

    class Meta:
        model = Heartbeat
        fields = [
            "id",
            "name",
            "period",
            "grace",
            "labels",
            "annotations",
            "enabled",
            "status",
            "last_ping_at",
            "last_outcome",
            "due_at",
            "down_since",
        ]
        read_only_fields = ["id", "last_ping_at", "last_outcome", "due_at", "down_since"]

    def get_status(self, heartbeat: Heartbeat) -> str:
        """`off`, `down`, `new`, `started` or `up`."""
        return heartbeats.status_of(heartbeat)


class NewHeartbeatSerializer(HeartbeatSerializer):
    """A heartbeat with the address to call, in this answer and nowhere else."""

    token = serializers.CharField(read_only=True)
    path = serializers.CharField(read_only=True)

    class Meta(HeartbeatSerializer.Meta):
        fields = [*HeartbeatSerializer.Meta.fields, "token", "path"]


class HeartbeatViewSet(EditableViewSet):
    """Heartbeats."""

    nothing = Heartbeat.across_tenants.none()
    serializer_class = HeartbeatSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[Heartbeat]:
        return Heartbeat.objects.for_tenant(self.grant.tenant_id)

    @extend_schema(responses={201: NewHeartbeatSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 (DRF's interface)
        """Make a heartbeat. The answer holds its token, which is not shown again."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = Heartbeat(tenant_id=self.grant.tenant_id, **asked.validated_data)
        return self._shown_once(heartbeats.create(row, self.author), status.HTTP_201_CREATED)

    def save(self, row: Heartbeat) -> Heartbeat:
        return heartbeats.change(row, self.author)

    def remove(self, row: Heartbeat) -> None:
        heartbeats.delete(row, self.author)

    @extend_schema(request=None, responses=NewHeartbeatSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Give it another token; the old one is void at once."""
        return self._shown_once(heartbeats.rotate(self.get_object(), self.author), status.HTTP_200_OK)

    def _shown_once(self, made: NewHeartbeat, code: int) -> Response:
        shown = self.get_serializer(made.heartbeat).data
        return Response({**shown, "token": made.token, "path": f"/api/heartbeats/{made.token}/"}, status=code)


class PingView(TokenView):
    """A job calls home, by GET, HEAD or POST; what it sends is not read."""

    throttle_scope = "ping"
    outcome: Outcome

    def get(self, request: Request, token: str) -> HttpResponse:  # noqa: ARG002 (DRF's interface)
        heartbeats.ping(token, self.outcome, now=to_datetime(SystemClock().now_ms()))
        return HttpResponse("OK", content_type="text/plain")

    def post(self, request: Request, token: str) -> HttpResponse:
        return self.get(request, token)


def _documented(outcome: Outcome) -> Any:
    """How the OpenAPI document shows the address of an outcome."""
    answers = {(200, "text/plain"): str}
    return extend_schema_view(
        get=extend_schema(operation_id=f"heartbeat_{outcome}", request=None, responses=answers),
        post=extend_schema(operation_id=f"heartbeat_{outcome}_post", request=None, responses=answers),
    )


@_documented(Outcome.SUCCESS)
class SuccessView(PingView):
    """`/api/heartbeats/<token>/`: the job has done its work."""

    outcome = Outcome.SUCCESS


@_documented(Outcome.START)
class StartView(PingView):
    """`/api/heartbeats/<token>/start`: it has begun, and must end within the grace."""

    outcome = Outcome.START


@_documented(Outcome.FAIL)
class FailView(PingView):
    """`/api/heartbeats/<token>/fail`: it has failed."""

    outcome = Outcome.FAIL
