"""REST over tenants and API keys."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import exceptions, mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import Conflict
from alertsite.tenancy.models import ApiKey, Quota, Tenant, User
from alertsite.tenancy.scope import platform_scope
from alertsite.tenancy.services import SCOPES, change_tenant, create_api_key, create_tenant
from alertsite.web.credentials import WRITE, Credential, MissingScope
from alertsite.web.pagination import CursorPages
from alertsite.web.views import TenantView


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """What a tenant may use. Durations in seconds."""

    class Meta:
        model = Quota
        fields = [
            "max_series",
            "max_rules",
            "max_samples_per_query",
            "lateness_s",
            "hot_retention_s",
            "archive_retention_days",
            "report_retention_days",
            "max_catch_up_ticks",
        ]


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant with its quota."""

    quota = QuotaSerializer(required=False)

    class Meta:
        model = Tenant
        fields = ["id", "slug", "name", "quota", "created_at"]
        read_only_fields = ["id", "created_at"]
        extra_kwargs = {"name": {"required": False}}


class BySlug(CursorPages):
    """Ordered by slug."""

    ordering = "slug"


class TenantViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    GenericViewSet[Tenant],
):
    """The tenants a credential may act for; with platform scope all of them, and new ones."""

    queryset = Tenant.objects.none()
    serializer_class = TenantSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    throttle_scope = "read"

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Serve in platform scope: which tenants are shown is decided here, by the credential."""
        with platform_scope():
            response = super().dispatch(request, *args, **kwargs)
            if hasattr(response, "render"):
                response.render()
            return response

    @property
    def credential(self) -> Credential:
        """Who asks."""
        credential = self.request.auth
        if not isinstance(credential, Credential):
            raise exceptions.NotAuthenticated
        return credential

    def get_queryset(self) -> QuerySet[Tenant]:
        """Every tenant with platform scope, else those of the credential."""
        if getattr(self, "swagger_fake_view", False):
            return Tenant.objects.none()
        if self.credential.platform:
            return Tenant.objects.select_related("quota")
        return Tenant.objects.select_related("quota").filter(slug__in=list(self.credential.grants))

    def perform_create(self, serializer: serializers.BaseSerializer[Tenant]) -> None:
        """Only with platform scope. A person who makes a tenant owns it."""
        self._check_platform()
        owner = self.request.user if isinstance(self.request.user, User) else None
        values = serializer.validated_data
        serializer.instance = create_tenant(
            values["slug"], values.get("name") or values["slug"], owner=owner, quota=values.get("quota", {})
        )

    def perform_update(self, serializer: serializers.BaseSerializer[Tenant]) -> None:
        """Only with platform scope: a tenant does not raise its own quota."""
        self._check_platform()
        tenant = serializer.instance
        assert tenant is not None
        change_tenant(tenant, serializer.validated_data)

    def _check_platform(self) -> None:
        if not self.credential.platform or WRITE not in self.credential.platform_scopes:
            raise MissingScope("platform")


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """An API key without its secret."""

    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES), allow_empty=False)

    class Meta:
        model = ApiKey
        fields = ["id", "name", "scopes", "created_at", "expires_at", "revoked_at"]
        read_only_fields = ["id", "created_at", "expires_at", "revoked_at"]


class NewestKey(CursorPages):
    """The newest first."""

    ordering = ("-created_at", "id")


class ApiKeyViewSet(TenantView, mixins.ListModelMixin, GenericViewSet[ApiKey]):
    """The tenant's API keys. The secret is in the answer that makes the key, and nowhere else."""

    queryset = ApiKey.objects.none()
    serializer_class = ApiKeySerializer
    pagination_class = NewestKey
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[ApiKey]:
        """Keys of the request's tenant."""
        if getattr(self, "swagger_fake_view", False):
            return ApiKey.objects.none()
        return ApiKey.objects.filter(tenant_id=self.grant.tenant_id)

    def create(self, request: Request) -> Response:
        """Make a key; never one that may do more than the credential that makes it."""
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        scopes = tuple(asked.validated_data["scopes"])
        for scope in scopes:
            if scope not in self.grant.scopes:
                raise MissingScope(scope)
        tenant = Tenant.objects.get(pk=self.grant.tenant_id)
        made = create_api_key(asked.validated_data["name"], tenant=tenant, scopes=scopes)
        answer = {**self.get_serializer(made.key).data, "secret": made.secret}
        return Response(answer, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: Any) -> Response:  # noqa: ARG002 (DRF's interface)
        """Revoke a key. It stays listed."""
        key = self.get_object()
        if key.revoked_at is not None:
            raise Conflict(f"the key was revoked at {key.revoked_at.isoformat()}")
        key.revoked_at = to_datetime(SystemClock().now_ms())
        key.save(update_fields=["revoked_at"])
        return Response(status=status.HTTP_204_NO_CONTENT)
