"""Scaling a service on a forecast: what is decided now, what reacting would have decided, what each costs.

In: the load and its forecast as series, the size that the provider tells. Out: a change of size at most, and
the tally of both ways. While the automation or its playbook is not armed, the size that prediction would
have is followed in the tally and nothing is done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from alertsite.core.clock import from_datetime
from alertsite.core.errors import PlatformError
from cloud.services.providers import registry
from healing.automation.scaling import Way, decide, followed, missing
from healing.automation.terms import ScaleTerms
from healing.models import Automation, HealingRun, Playbook, Proposal
from healing.playbooks.references import Scope
from healing.playbooks.templates import fill
from healing.services.automations import playbook_of
from healing.services.looking import series_that_hold
from healing.services.means import Means
from healing.services.playbooks import compiled
from healing.services.proposals import Change
from healing.services.starting import Cause, start_for

LONGEST_STEP = 3
"""Times `every`: what lies between two looks further apart, because nobody looked, is not counted."""


class CannotScale(PlatformError):
    """The load is not one series, or the playbook sets no size."""

    code = "automation.cannot_scale"


@dataclass(frozen=True, slots=True)
class Scaling:
    """What was found at one look."""

    playbook: Playbook
    tally: Mapping[str, Any]
    change: Change | None
    acting: bool


def look(automation: Automation, terms: ScaleTerms, means: Means) -> Scaling:
    """Decide once.

    Raises
    ------
    CannotScale, AdapterError, InvalidParameter
    """
    now = means.now
    playbook = playbook_of(automation, terms)
    acting = automation.armed and playbook.armed
    load = _load(automation.tenant_id, terms.load, now)
    forecast = [value for _, value in series_that_hold(automation.tenant_id, terms.forecast, now=now)]
    size = size_now(playbook, terms, means)
    predictive, reactive, step_ms = _ways(automation, terms, size, now)
    if acting:
        predictive = _as_seen(predictive, size)
    decision = decide(load, forecast, predictive.replicas, predictive.since_ms + step_ms, terms.bounds)
    before = predictive.replicas
    predictive = followed(predictive, load, forecast, terms.bounds, step_ms=step_ms)
    reactive = followed(reactive, load, [], terms.bounds, step_ms=step_ms)
    tally = {
        "at_ms": from_datetime(now),
        "predictive": asdict(predictive),
        "reactive": asdict(reactive),
        "cost_replica_hours": predictive.replica_hours - reactive.replica_hours,
        "benefit_replica_hours": reactive.starved_hours - predictive.starved_hours,
    }
    if decision.replicas == before:
        return Scaling(playbook, tally, None, acting)
    figures = {
        "load": load,
        "forecast_peak": max(filter(math.isfinite, forecast), default=None),
        "size": size,
        "reactive_size": reactive.replicas,
        "missing_now": missing(before, load, terms.bounds),
        "tally": tally,
    }
    said = f"{decision.reason}; reacting would have {reactive.replicas}"
    subject = f"size by {playbook.name}"[:200]
    return Scaling(
        playbook, tally, Change(subject, str(before), str(decision.replicas), said, figures), acting
    )


def _load(tenant_id: UUID, expr: str, now: datetime) -> float:
    found = series_that_hold(tenant_id, expr, now=now)
    if len(found) != 1 or not math.isfinite(found[0][1]):
        raise CannotScale(f"the load has {len(found)} series, one with a number is needed: {expr}")
    return found[0][1]


def _ways(automation: Automation, terms: ScaleTerms, size: int, now: datetime) -> tuple[Way, Way, int]:
    """Prediction and reaction as they stood, and the milliseconds since."""
    tally = automation.tally
    if not tally:
        fresh = Way(min(max(size, terms.minimum), terms.maximum), terms.cool_down)
        return fresh, fresh, 0
    elapsed_ms = max(from_datetime(now) - int(tally["at_ms"]), 0)
    step_ms = elapsed_ms if elapsed_ms <= LONGEST_STEP * terms.every else 0
    return Way(**tally["predictive"]), Way(**tally["reactive"]), step_ms


def _as_seen(way: Way, size: int) -> Way:
    """Prediction goes on from what is there, whoever set it."""
    return way if way.replicas == size else replace(way, replicas=size, since_ms=0)


def size_now(playbook: Playbook, terms: ScaleTerms, means: Means) -> int:
    """The size that the provider tells, by the look of the playbook's own step. Changes nothing.

    Raises
    ------
    CannotScale, AdapterError
    """
    plan = compiled(playbook.version.text) if playbook.version is not None else None
    steps = [step for step in plan.actions if "size" in step.inputs] if plan is not None else []
    if not steps:
        raise CannotScale(f"no step of playbook {playbook.name!r} sets a size")
    scope = Scope(labels_for(terms, terms.minimum), {}, None)
    try:
        wanted = steps[0].word.parameters.model_validate(fill(steps[0].inputs, scope))
    except ValidationError as error:
        raise CannotScale(f"{error.error_count()} inputs of {steps[0].action!r} are not filled") from None
    with means.open_account(playbook.tenant_id, steps[0].account) as opened:
        action = registry().action(opened.adapter.name, steps[0].action)
        return int(action.look(opened.session, wanted).before["size"])


def labels_for(terms: ScaleTerms, size: int) -> dict[str, str]:
    """What the playbook reads."""
    return {**terms.labels, "size": str(size)}


def start(scaling: Scaling, terms: ScaleTerms, proposal: Proposal, *, now: datetime) -> HealingRun:
    """Have the playbook set the size: approvals, limits, verification and rollback are its own."""
    labels = labels_for(terms, int(proposal.proposed))
    cause = Cause(HealingRun.Cause.PREDICTION, f"proposal:{proposal.pk}", now, labels)
    return start_for(scaling.playbook, cause, dry=False, now=now)
