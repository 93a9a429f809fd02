"""Where to run: places scored by price, latency, headroom and health, and the move as a playbook.

In: places with what is known of them, and a policy. Out: a ranking in which each number is explained, and the
text of a playbook that starts there, verifies, and scales down here. Refused: policies that allow no place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from alertsite.core.errors import InvalidParameter, PlatformError

CRITERIA: Final = ("price", "latency", "headroom", "health")


class NoPlace(PlatformError):
    """The policy's hard constraints leave no place."""

    code = "placement.no_place"


@dataclass(frozen=True, slots=True)
class Place:
    """A region of a provider, reached by an account."""

    provider: str
    region: str
    account: str
    price_per_hour: float
    latency_ms: float
    headroom_ratio: float
    """Share of the quota that is free, 0 to 1."""
    health_ratio: float
    """Share of resources that are healthy, 0 to 1."""

    @property
    def name(self) -> str:
        """Tells it from every other: two accounts may have the same region."""
        return f"{self.provider}/{self.account}/{self.region}"


@dataclass(frozen=True, slots=True)
class Policy:
    """What matters how much, and what is not negotiable."""

    weights: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(CRITERIA, 1.0))
    regions: frozenset[str] = frozenset()
    """Allowed ones; empty allows all."""
    max_price_per_hour: float = float("inf")
    max_latency_ms: float = float("inf")
    min_headroom_ratio: float = 0.1
    min_health_ratio: float = 0.9

    def __post_init__(self) -> None:
        """Raise InvalidParameter."""
        known = set(self.weights) <= set(CRITERIA)
        if not known or min(self.weights.values(), default=0) < 0 or not sum(self.weights.values()) > 0:
            raise InvalidParameter("weights", dict(self.weights), f"numbers from 0 for {', '.join(CRITERIA)}")


@dataclass(frozen=True, slots=True)
class Score:
    """A place's score from 0 to 1, the share each criterion gave, and why in words."""

    place: Place
    total: float
    parts: Mapping[str, float]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Places, best first, and those that the policy refuses, with the reasons."""

    scores: tuple[Score, ...]
    refused: Mapping[str, str]


def rank(places: Sequence[Place], policy: Policy) -> Ranking:
    """Score the places that the policy allows. The cheapest and the nearest of them get the whole weight.

    Raises
    ------
    NoPlace
    """
    faults = {place: _fault(place, policy) for place in places}
    allowed = [place for place in places if not faults[place]]
    refused = {place.name: fault for place, fault in faults.items() if fault}
    if not allowed:
        told = "; ".join(f"{name}: {fault}" for name, fault in refused.items())
        raise NoPlace(f"no place is allowed: {told or 'none is known'}")
    scores = [_score(place, allowed, policy) for place in allowed]
    order = sorted(scores, key=lambda one: (-one.total, one.place.name))
    return Ranking(tuple(order), refused)


def _fault(place: Place, policy: Policy) -> str:
    if policy.regions and place.region not in policy.regions:
        return f"region {place.region} is not of {', '.join(sorted(policy.regions))}"
    bounds = (
        (place.price_per_hour > policy.max_price_per_hour, "price", place.price_per_hour),
        (place.latency_ms > policy.max_latency_ms, "latency", place.latency_ms),
        (place.headroom_ratio < policy.min_headroom_ratio, "headroom", place.headroom_ratio),
        (place.health_ratio < policy.min_health_ratio, "health", place.health_ratio),
    )
    return "; ".join(
        f"{name} is {value:g}, beyond the policy's bound" for beyond, name, value in bounds if beyond
    )


def _score(place: Place, allowed: Sequence[Place], policy: Policy) -> Score:
    cheapest = min(one.price_per_hour for one in allowed)
    nearest = min(one.latency_ms for one in allowed)
    marks = {
        "price": (
            _relative(cheapest, place.price_per_hour),
            f"{place.price_per_hour:g} $/h, least {cheapest:g}",
        ),
        "latency": (_relative(nearest, place.latency_ms), f"{place.latency_ms:g} ms, least {nearest:g}"),
        "headroom": (place.headroom_ratio, f"{place.headroom_ratio:.0%} of the quota is free"),
        "health": (place.health_ratio, f"{place.health_ratio:.0%} of resources are healthy"),
    }
    whole = sum(policy.weights.values())
    parts = {name: mark * policy.weights.get(name, 0.0) / whole for name, (mark, _) in marks.items()}
    reasons = tuple(f"{name} {parts[name]:.3f}: {why}" for name, (_, why) in marks.items())
    return Score(place, sum(parts.values()), parts, reasons)


def _relative(least: float, value: float) -> float:
    return least / value if value > 0 else 1.0


def move_playbook(service: str, size: int, here: Place, there: Place, healthy: str) -> str:
    """Start there, see that it is healthy, scale down here. Both steps have inverses: a check that fails
    leaves the service where it was.

    Parameters
    ----------
    healthy
        PromQL that has a series while the service answers there.
    """
    document = {
        "playbook": f"move {service} from {here.name} to {there.name}",
        "trigger": {"manual": True},
        "approval": {"medium": "one"},
        "limits": {"per_run": 2, "share": 1.0, "concurrent": 1},
        "verify": {"expr": healthy, "for": "5m"},
        "steps": [
            _scale(there, service, size),
            {"check": healthy, "within": "10m"},
            _scale(here, service, 0),
            {"check": healthy, "within": "5m"},
        ],
    }
    return yaml.safe_dump(document, sort_keys=False, width=100)


def _scale(place: Place, service: str, size: int) -> dict[str, object]:
    return {"action": "scale_service", "account": place.account, "with": {"service": service, "size": size}}
