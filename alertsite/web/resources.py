"""The base of REST resources: rows of the request's tenant, listed, read and written by id."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from alertsite.audit.services import Author
from alertsite.web.views import TenantView


class TenantViewSet(TenantView, GenericViewSet):  # type: ignore[type-arg]
    """Base of the resources: rows of the request's tenant, found by id."""

    lookup_value_converter = "uuid"
    nothing: QuerySet[Any]
    """No rows of the resource: tells the OpenAPI document which model it is."""

    @property
    def author(self) -> Author:
        """Who saves, and when."""
        return Author(self.actor, self.now)

    def rows(self) -> QuerySet[Any]:
        """Rows of the tenant."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Rows of the tenant; nothing while the OpenAPI document is made."""
        if getattr(self, "swagger_fake_view", False):
            return self.nothing
        return self.rows()


class EditableViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    TenantViewSet,
):
    """Base of the resources that clients write: a subclass names the services that save and remove a row."""

    def save(self, row: Any) -> Any:
        """Store a new or changed row."""
        raise NotImplementedError

    def remove(self, row: Any) -> None:
        """Delete a row."""
        raise NotImplementedError

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        """Make a row of the request's tenant."""
        row = self.nothing.model(tenant_id=self.grant.tenant_id, **serializer.validated_data)
        serializer.instance = self.save(row)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        """Change what the request names."""
        row = serializer.instance
        for name, value in serializer.validated_data.items():
            setattr(row, name, value)
        self.save(row)

    def perform_destroy(self, instance: Any) -> None:
        """Delete by the service."""
        self.remove(instance)
