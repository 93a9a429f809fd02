"""Inbound hooks by REST, and the addresses that other systems post to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.pagination import ByName
from alertsite.web.resources import EditableViewSet
from rules.api.tokened import TokenView, json_body
from rules.models import InboundHook
from rules.services import hooks
from rules.services.hooks import NewHook

MAX_BODY: Final = 4 * 1024 * 1024


class HookSerializer(serializers.ModelSerializer[InboundHook]):
    """An address that other systems post JSON to, and how it becomes alerts."""

    mapping = serializers.JSONField()

    class Meta:
        model = InboundHook
        fields = ["id", "name", "mapping", "enabled"]
        read_only_fields = ["id"]


class NewHookSerializer(HookSerializer):
    """A hook with the address to post to, in this answer and nowhere else."""

    token = serializers.CharField(read_only=True)
    path = serializers.CharField(read_only=True)

    class Meta(HookSerializer.Meta):
        fields = [*HookSerializer.Meta.fields, "token", "path"]


class PostedSerializer(serializers.Serializer[Any]):
    """An alert as a document would become one."""

    labels = serializers.DictField()
    annotations = serializers.DictField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()


class HookViewSet(EditableViewSet):
    """Inbound hooks."""

    nothing = InboundHook.across_tenants.none()
    serializer_class = HookSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[InboundHook]:
        return InboundHook.objects.for_tenant(self.grant.tenant_id)

    @extend_schema(responses={201: NewHookSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002 (DRF's interface)
        """Make a hook. The answer holds its token, which is not shown again."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        row = InboundHook(tenant_id=self.grant.tenant_id, **asked.validated_data)
        return self._shown_once(hooks.create(row, self.author), status.HTTP_201_CREATED)

    def save(self, row: InboundHook) -> InboundHook:
        return hooks.change(row, self.author)

    def remove(self, row: InboundHook) -> None:
        hooks.delete(row, self.author)

    @extend_schema(request=None, responses=NewHookSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Give it another token; the old one is void at once."""
        return self._shown_once(hooks.rotate(self.get_object(), self.author), status.HTTP_200_OK)

    @extend_schema(request=dict[str, Any], responses=PostedSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="try")
    def dry_run(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """What the posted document would become; nothing is stored."""
        found = hooks.would_become(self.get_object(), request.data, now=self.now)
        shown = [{**asdict(one), "labels": dict(one.labels)} for one in found]
        return Response(PostedSerializer(shown, many=True).data)

    def _shown_once(self, made: NewHook, code: int) -> Response:
        shown = self.get_serializer(made.hook).data
        return Response({**shown, "token": made.token, "path": f"/api/hooks/{made.token}/"}, status=code)


class HookView(TokenView):
    """`POST /api/hooks/<token>/`: another system sends what it has to say, as JSON."""

    throttle_scope = "ingest"

    @extend_schema(operation_id="hook_post", request=dict[str, Any], responses={200: dict[str, int]})
    def post(self, request: Request, token: str) -> Response:
        """Take what another system posts."""
        hook = hooks.find(token)
        document = json_body(request, limit=MAX_BODY)
        taken = hooks.receive(hook, document, now=to_datetime(SystemClock().now_ms()))
        counts = asdict(taken)
        return Response({name: counts[name] for name in ("began", "ended", "renewed")})
