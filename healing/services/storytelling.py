"""The whole story of a run: what it saw, who approved, what each call sent and returned, how it was
verified, what it cost.
"""

from __future__ import annotations

from typing import Any

from cloud.adapters.recording import masked
from healing.models import Approval, HealingCall, HealingRun, HealingStep

_STEP = (
    "key", "kind", "word", "account", "state", "reason", "inputs", "change", "before", "resources", "tries",
    "request_id", "receipt", "result", "cost_per_hour", "started_at", "finished_at",
)  # fmt: skip
_CALL = ("phase", "at", "request", "sent", "status", "answered", "seconds")


def story_of(run: HealingRun) -> dict[str, Any]:
    """As plain values, in the order in which it happened."""
    steps = list(HealingStep.objects.for_tenant(run.tenant_id).filter(run=run).order_by("position"))
    calls: dict[Any, list[HealingCall]] = {}
    for call in HealingCall.objects.for_tenant(run.tenant_id).filter(step__run=run).order_by("id"):
        calls.setdefault(call.step_id, []).append(call)
    return {
        "saw": {
            "labels": run.labels,
            "annotations": run.annotations,
            "value": run.value,
            "at": run.caused_at,
        },
        "approvals": [_approval(one) for one in Approval.objects.for_tenant(run.tenant_id).filter(run=run)],
        "steps": [
            {name: getattr(step, name) for name in _STEP}
            | {"inputs": masked(step.inputs), "before": masked(step.before)}
            | {"calls": [{name: getattr(call, name) for name in _CALL} for call in calls.get(step.pk, [])]}
            for step in steps
        ],
        "verified": {
            "state": run.state,
            "healthy_since": run.healthy_since,
            "flaps": run.flaps,
            "until": run.verify_until,
        },
        "cost_per_hour": run.cost_per_hour,
    }


def _approval(one: Approval) -> dict[str, Any]:
    return {
        "person": one.person,
        "approves": one.approves,
        "subject": one.subject,
        "comment": one.comment,
        "at": one.at,
        "spent_at": one.spent_at,
    }
