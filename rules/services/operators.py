"""The operator's tenant: it gets the metrics of the machines, and what the platform proposes for itself."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from alertsite.core.errors import PlatformError
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import platform_scope


class UnknownOperator(PlatformError):
    """The operator's tenant is not there: the setting names nobody."""

    code = "operator.unknown"


def operators_tenant() -> UUID | None:
    """The tenant that `HOST_METRICS_TENANT` names; None if it names nobody.

    Raises
    ------
    UnknownOperator
        If there is none of that name.
    """
    slug = settings.HOST_METRICS_TENANT
    if not slug:
        return None
    with platform_scope():
        found: UUID | None = Tenant.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if found is None:
        raise UnknownOperator(f"HOST_METRICS_TENANT is {slug!r}, and no tenant has this name")
    return found
