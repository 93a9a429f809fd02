"""Signed links in requests for approval: they name what is asked, never who answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

from healing.models import HealingRun
from rules.services.links import InvalidLink

LIFETIME: Final = timedelta(days=7)
_SALT: Final = "alertsite.healing-approval"


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """A run, a subject in it, and the plan that was shown."""

    tenant_id: UUID
    run_id: UUID
    subject: str
    plan_hash: str


def approval_link(run: HealingRun) -> str:
    """Where a person approves or rejects."""
    content = [run.tenant_id.hex, run.pk.hex, run.subject, run.plan_hash]
    return f"{settings.PUBLIC_URL}/heal/{signing.dumps(content, salt=_SALT)}/"


def read_link(token: str) -> ApprovalLink:
    """What a token says.

    Raises
    ------
    InvalidLink
        If it is not ours, was changed, or is older than `LIFETIME`.
    """
    try:
        tenant, run, subject, plan_hash = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.SignatureExpired:
        raise InvalidLink("expired", f"the link is older than {LIFETIME.days} days") from None
    except signing.BadSignature:
        raise InvalidLink("forged", "the link is not one of ours, or was changed") from None
    return ApprovalLink(UUID(tenant), UUID(run), subject, plan_hash)
