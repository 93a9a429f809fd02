"""The operator's tenant: it gets the metrics of the machines, and what the platform proposes for itself."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope


def operators_tenant() -> UUID | None:
    """The tenant that `HOST_METRICS_TENANT` names; None if it names nobody.

    Raises
    ------
    Tenant.DoesNotExist
        If there is none of that name.
    """
    if not settings.HOST_METRICS_TENANT:
        return None
    with platform_scope():
        found: UUID = Tenant.objects.values_list("pk", flat=True).get(slug=settings.HOST_METRICS_TENANT)
        return found
