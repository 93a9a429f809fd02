"""REST views of cloud accounts."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.pagination import ByName
from alertsite.web.resources import EditableViewSet
from cloud.api.serializers import CheckedSerializer, CloudAccountSerializer
from cloud.models import CloudAccount
from cloud.services import accounts


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
