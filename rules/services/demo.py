"""The demo tenant: this machine, watched by the host pack, with a receiver that logs."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from alertsite.tenancy.models import Membership, Tenant, User
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import create_tenant
from rules.language.rulefile import parse_rule_file
from rules.models import Receiver, RuleGroup
from rules.services.authoring import Author
from rules.services.importing import import_groups

DEMO_SLUG: Final = "demo"
HOST_PACK: Final = Path(__file__).resolve().parent.parent / "packs" / "host.yaml"


def load_demo(*, now: datetime) -> Tenant:
    """Make the demo tenant with its rules, owned by every superuser. What exists is left as it is."""
    with platform_scope():
        tenant = Tenant.objects.filter(slug=DEMO_SLUG).first() or create_tenant(
            DEMO_SLUG, "Demo: this machine"
        )
        for user in User.objects.filter(is_superuser=True):
            Membership.across_tenants.get_or_create(
                tenant=tenant, user=user, defaults={"role": Membership.Role.OWNER}
            )
    with tenant_scope(tenant.pk):
        if not RuleGroup.objects.for_tenant(tenant).exists():
            author = Author("system:demo", now)
            import_groups(tenant.pk, parse_rule_file(HOST_PACK.read_text(encoding="utf-8")), author)
            Receiver.objects.create(tenant=tenant, name="log", kind="log")
    return tenant
