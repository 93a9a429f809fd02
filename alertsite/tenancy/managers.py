"""The first of the three fences between tenants: a manager that answers only when told for whom."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db import models

M = TypeVar("M", bound=models.Model)


class UnscopedQuery(RuntimeError):
    """Code asked a tenant table for rows without saying whose: a fault of the code, not of a request."""

    def __init__(self, model: str) -> None:
        super().__init__(f"{model}.objects was asked without a tenant: use .for_tenant(tenant)")


class TenantScopedManager(models.Manager[M]):
    """`Model.objects.for_tenant(tenant)`; anything else raises."""

    def for_tenant(self, tenant: models.Model | UUID) -> models.QuerySet[M]:
        """Rows of one tenant."""
        tenant_id = tenant if isinstance(tenant, UUID) else tenant.pk
        return super().get_queryset().filter(tenant_id=tenant_id)

    def get_queryset(self) -> models.QuerySet[M]:
        """Refuse to answer without a tenant."""
        raise UnscopedQuery(self.model.__name__)

    def none(self) -> models.QuerySet[M]:
        """No rows are nobody's, so asking for none is allowed."""
        return super().get_queryset().none()

    def create(self, **values: Any) -> M:
        """A row needs a tenant anyway, so creating is allowed."""
        return super().get_queryset().create(**values)


class TenantModel(models.Model):
    """Base of every table that belongs to tenants."""

    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, related_name="+")

    # First, so that Django's own machinery (admin, related managers, cascades) has a manager that works.
    across_tenants: models.Manager[Any] = models.Manager()
    objects: TenantScopedManager[Any] = TenantScopedManager()

    class Meta:
        abstract = True


def tenant_without_index() -> Any:
    """The tenant of a table that is written often and has another index that begins with the tenant."""
    return models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False)
