"""Waking and moving automations on."""

from __future__ import annotations

from uuid import UUID

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.web.task import task
from healing.services import automating, proposals
from healing.services.automating import AutomationClaim
from healing.services.fleet import CeleryFleet
from healing.services.means import Means

Claimed = tuple[str, str, int, str]
"""automation id, tenant id, fencing token, kind"""


@task(capability="heal", soft_time_limit=25, time_limit=30, expires=10)
def wake_automations() -> dict[str, int]:
    """End what has ended, hand out the automations that are due.

    Idempotency key: the claims' fencing tokens.
    """
    now = to_datetime(SystemClock().now_ms())
    ended = proposals.settle(now=now)
    claims = automating.claim_due(now=now)
    for one in claims:
        claimed = (str(one.automation_id), str(one.tenant_id), one.fencing_token, one.kind)
        (maintain if one.kind == "maintain" else automate).delay(claimed)
    return {"ended": ended, "claimed": len(claims)}


@task(capability="heal", soft_time_limit=80, time_limit=85)
def automate(claimed: Claimed) -> dict[str, bool]:
    """Look once, propose, act where that is allowed. Idempotency key: (automation, fencing token)."""
    return {"held": automating.move_on(_claim(claimed), Means(SystemClock()), CeleryFleet())}


@task(capability="upkeep", soft_time_limit=550, time_limit=580)
def maintain(claimed: Claimed) -> dict[str, bool]:
    """Do what the clock asks for. Idempotency key: (automation, fencing token)."""
    return {"held": automating.move_on(_claim(claimed), Means(SystemClock()), CeleryFleet())}


@task(capability="heal", soft_time_limit=8, time_limit=10)
def request_maintenance(automation_id: str) -> dict[str, bool]:
    """The clock has struck: make a job due. Idempotency key: the job, which is due once."""
    return {"due": automating.request(UUID(automation_id), now=to_datetime(SystemClock().now_ms()))}


def _claim(claimed: Claimed) -> AutomationClaim:
    automation, tenant, token, kind = claimed
    return AutomationClaim(UUID(automation), UUID(tenant), int(token), kind)
