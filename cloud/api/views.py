"""REST views of cloud accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.pagination import ByName, CursorPages
from alertsite.web.resources import EditableViewSet, TenantViewSet
from cloud.api.serializers import CheckedSerializer, CloudAccountSerializer, CloudResourceSerializer
from cloud.models import CloudAccount, CloudResource
from cloud.services import accounts


class ByKind(CursorPages):
    """Resources by kind and name."""

    ordering = ("kind", "name", "id")


class CloudAccountViewSet(EditableViewSet):
    """Accounts with providers."""

    nothing = CloudAccount.across_tenants.none()
    serializer_class = CloudAccountSerializer
    pagination_class = ByName

    def rows(self) -> QuerySet[CloudAccount]:
        return CloudAccount.objects.for_tenant(self.grant.tenant_id)

    def save(self, row: CloudAccount) -> CloudAccount:
        return accounts.save_account(row, self.author)

    def remove(self, row: CloudAccount) -> None:
        accounts.delete_account(row, self.author)

    @extend_schema(request=None, responses=CheckedSerializer)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: UUID) -> Response:  # noqa: ARG002 (DRF's interface)
        """Ask the provider who we are."""
        return Response(asdict(accounts.check_account(self.get_object(), self.author)))


class CloudResourceViewSet(mixins.ListModelMixin, TenantViewSet):
    """What the accounts hold; `?account=`, `?kind=`, `?place=`, `?healthy=`, `?vanished_at__isnull=`."""

    nothing = CloudResource.across_tenants.none()
    serializer_class = CloudResourceSerializer
    pagination_class = ByKind
    filterset_fields: dict[str, Any] = {
        "account": ["exact"],
        "kind": ["exact"],
        "place": ["exact"],
        "group": ["exact"],
        "healthy": ["exact", "isnull"],
        "vanished_at": ["isnull"],
    }

    def rows(self) -> QuerySet[CloudResource]:
        return CloudResource.objects.for_tenant(self.grant.tenant_id)
