"""Where a service runs best: places as the inventory, the price lists and the series show them.

In: accounts with what they were last seen to hold, latencies as series. Out: a move that is proposed with
every number explained. A person who approves it gets a playbook and its run, by the rails of all runs:
whoever approved the move cannot approve the run as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import yaml
from django.db import transaction
from django.db.models import Avg, Count, Q

from alertsite.audit.services import Author
from alertsite.core.errors import Conflict, PlatformError
from cloud.models import CloudAccount, CloudResource
from healing.automation.placing import Place, Ranking, move_playbook, rank
from healing.automation.terms import PlaceAt, PlaceTerms
from healing.models import Automation, HealingRun, Playbook, Proposal
from healing.services import proposals
from healing.services.automations import terms_of
from healing.services.looking import series_that_hold
from healing.services.playbooks import Draft, arm, save_playbook
from healing.services.proposals import Change
from healing.services.starting import Wish, start_by_hand


class CannotPlace(PlatformError):
    """What is needed to judge places is not known."""

    code = "automation.cannot_place"


@dataclass(frozen=True, slots=True)
class Placing:
    """Places as they are known now, and which of them has the service."""

    here: Place
    places: Sequence[Place]
    unknown: Mapping[str, str]
    """Places that cannot be judged, and what is missing."""


def look(automation: Automation, terms: PlaceTerms, *, now: datetime) -> Placing:
    """What is known of each place.

    Raises
    ------
    CannotPlace
        If no place, or more than one, has the service.
    """
    latencies = {}
    for labels, value in series_that_hold(automation.tenant_id, terms.latency, now=now):
        told = dict(labels)
        latencies[told.get("account", ""), told.get("region", "")] = value
    places, unknown, having = [], {}, []
    for at in terms.places:
        found = _place(automation, terms, at, latencies.get((at.account, at.region)))
        if isinstance(found, str):
            unknown[f"{at.account}/{at.region}"] = found
            continue
        places.append(found)
        if _resources(automation, at).filter(Q(name=terms.service) | Q(group=terms.service)).exists():
            having.append(found)
    if len(having) != 1:
        said = f"{terms.service!r} was seen in {len(having)} of the places, one is needed"
        raise CannotPlace(f"{said}; not known: {unknown}" if unknown else said)
    return Placing(having[0], places, unknown)


def _resources(automation: Automation, at: PlaceAt) -> Any:
    rows = CloudResource.objects.for_tenant(automation.tenant_id).filter(vanished_at=None)
    return rows.filter(account__name=at.account, account__enabled=True, place=at.region)


def _place(automation: Automation, terms: PlaceTerms, at: PlaceAt, latency_ms: float | None) -> Place | str:
    """The place; what is missing, in words, where something is."""
    accounts = CloudAccount.objects.for_tenant(automation.tenant_id).filter(name=at.account, enabled=True)
    provider = accounts.values_list("provider", flat=True).first()
    facts = _resources(automation, at).aggregate(
        count=Count("pk"),
        price=Avg("cost_per_hour"),
        well=Count("pk", filter=Q(healthy=True)),
        ill=Count("pk", filter=Q(healthy=False)),
    )
    judged = facts["well"] + facts["ill"]
    for missing, what in (
        (provider is None, "the account"),
        (facts["price"] is None, "what anything costs there"),
        (not judged, "the health of anything there"),
        (latency_ms is None, "the latency"),
    ):
        if missing:
            return f"{what} is not known"
    return Place(
        provider=str(provider),
        region=at.region,
        account=at.account,
        price_per_hour=facts["price"] * terms.size,
        latency_ms=float(latency_ms or 0.0),
        headroom_ratio=max(1 - facts["count"] / at.quota, 0.0),
        health_ratio=facts["well"] / judged,
    )


def change(placing: Placing, terms: PlaceTerms) -> Change | None:
    """The move that is worth its risk, if there is one.

    Raises
    ------
    NoPlace
    """
    ranking = rank(placing.places, terms.policy)
    best = ranking.scores[0]
    here = next((score.total for score in ranking.scores if score.place == placing.here), 0.0)
    if best.place == placing.here or best.total <= here * (1 + terms.gain):
        return None
    figures = {"scores": _told(ranking), "unknown": dict(placing.unknown), "gain": terms.gain}
    said = f"scores {best.total:.3f}, here {here:.3f}: {'; '.join(best.reasons)}"
    if refused := ranking.refused.get(placing.here.name):
        said = f"here {refused}; there it {said}"
    names = {"here": placing.here.account, "there": best.place.account}
    regions = {"here_region": placing.here.region, "there_region": best.place.region}
    return Change(
        f"place of {terms.service}", placing.here.name, best.place.name, said, figures | names | regions
    )


def _told(ranking: Ranking) -> dict[str, Any]:
    judged = {
        score.place.name: {"total": score.total, "why": list(score.reasons)} for score in ranking.scores
    }
    return judged | {name: {"refused": why} for name, why in ranking.refused.items()}


def approve_move(proposal: Proposal, author: Author) -> Proposal:
    """Write the move as a playbook, and start it. Somebody else approves its run.

    Raises
    ------
    Conflict
        If the automation is gone, changed since, or the proposal stands open no more.
    """
    if proposal.automation is None:
        raise Conflict("the automation that proposed the move is gone")
    terms = terms_of(proposal.automation)
    if not isinstance(terms, PlaceTerms):
        raise Conflict("the automation places nothing any more")
    text = move_playbook(terms.service, terms.size, *_ends(proposal), terms.healthy)
    with transaction.atomic():
        run = _start(proposal, text, author)
        return proposals.approve(proposal, author, run=run)


def _start(proposal: Proposal, text: str, author: Author) -> HealingRun:
    name = f"move {proposal.pk}"
    named = yaml.safe_dump(yaml.safe_load(text) | {"playbook": name}, sort_keys=False)
    saved = save_playbook(Playbook(tenant_id=proposal.tenant_id), Draft(named), author)
    armed = arm(saved, author, is_person=True)
    return start_by_hand(armed, Wish(dry=False), author, is_person=True)


def _ends(proposal: Proposal) -> tuple[Place, Place]:
    """Where from and where to, as far as the text of a playbook needs them."""
    made = []
    for end, told in (("here", proposal.current), ("there", proposal.proposed)):
        provider = told.partition("/")[0]
        region, account = proposal.measured[f"{end}_region"], proposal.measured[end]
        made.append(Place(provider, region, account, 0.0, 0.0, 1.0, 1.0))
    return made[0], made[1]
