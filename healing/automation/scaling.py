"""Autoscaling on a forecast: bounded decisions, and what reacting would have done with the same load.

In: load now and as forecast, in what a replica can carry. Out: a size with its reason. It moves one bounded
step at a time, and down only after the cool-down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from alertsite.core.errors import InvalidParameter

HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a decision may go. `per_replica` is the load that one replica carries."""

    minimum: int
    maximum: int
    per_replica: float
    step: int = 2
    cool_down_ms: int = 600_000

    def __post_init__(self) -> None:
        """Raise InvalidParameter."""
        if not 0 < self.minimum <= self.maximum:
            raise InvalidParameter("minimum", self.minimum, f"1 to maximum, which is {self.maximum}")
        if not self.per_replica > 0 or self.step < 1:
            raise InvalidParameter(
                "per_replica", self.per_replica, "a positive load, and a step of 1 or more"
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """How many replicas, and why."""

    replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a way of scaling came to: replica-steps paid for, load-steps that were not carried."""

    replica_steps: int
    starved: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """On prediction, and reactive, over the same load."""

    predictive: Outcome
    reactive: Outcome

    @property
    def benefit(self) -> float:
        """Load that prediction carried and reaction did not."""
        return self.reactive.starved - self.predictive.starved

    @property
    def cost(self) -> int:
        """Replica-steps that prediction paid for beyond reaction."""
        return self.predictive.replica_steps - self.reactive.replica_steps


def decide(load: float, forecast: Sequence[float], replicas: int, since_ms: int, bounds: Bounds) -> Decision:
    """The size for the greatest of the load and its forecast; `since_ms` is the time since the last change.

    Forecasts that are no numbers are left out: without any, it reacts to the load alone.
    """
    known = [value for value in forecast if math.isfinite(value)]
    peak = max([load, *known])
    wanted = min(max(math.ceil(peak / bounds.per_replica), bounds.minimum), bounds.maximum)
    because = f"peak {peak:g} of load and forecast needs {wanted} at {bounds.per_replica:g} each"
    if wanted > replicas:
        return Decision(min(wanted, replicas + bounds.step), because)
    if wanted < replicas and since_ms < bounds.cool_down_ms:
        return Decision(replicas, f"{because}; cooling down for {bounds.cool_down_ms - since_ms} ms more")
    return Decision(max(wanted, replicas - bounds.step), because)


def compare(
    loads: Sequence[float], forecasts: Sequence[Sequence[float]], bounds: Bounds, *, step_ms: int
) -> Comparison:
    """Both ways over the same load. A decision works from the step after: replicas take time to start.

    Parameters
    ----------
    loads
        One a step.
    forecasts
        Of each step, the loads of the steps after it as they were forecast then.
    """
    nothing: list[Sequence[float]] = [()] * len(loads)
    return Comparison(
        _played(loads, forecasts, bounds, step_ms),
        _played(loads, nothing, bounds, step_ms),
    )


def _played(
    loads: Sequence[float], forecasts: Sequence[Sequence[float]], bounds: Bounds, step_ms: int
) -> Outcome:
    way, paid, starved = Way(bounds.minimum, bounds.cool_down_ms), 0, 0.0
    for load, forecast in zip(loads, forecasts, strict=True):
        paid += way.replicas
        starved += max(load - way.replicas * bounds.per_replica, 0.0)
        way = followed(way, load, forecast, bounds, step_ms=step_ms)
    return Outcome(paid, starved)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a way of scaling has come to, and what it has cost on the way.

    Attributes
    ----------
    since_ms
        Since the size last changed.
    starved_hours
        Replicas that were missing, times hours.
    """

    replicas: int
    since_ms: int
    replica_hours: float = 0.0
    starved_hours: float = 0.0


def followed(way: Way, load: float, forecast: Sequence[float], bounds: Bounds, *, step_ms: int) -> Way:
    """The way after a step of time at its size under this load, with the size that it then decides for."""
    since_ms = way.since_ms + step_ms
    decided = decide(load, forecast, way.replicas, since_ms, bounds).replicas
    return Way(
        decided,
        0 if decided != way.replicas else since_ms,
        way.replica_hours + way.replicas * step_ms / HOUR_MS,
        way.starved_hours + missing(way.replicas, load, bounds) * step_ms / HOUR_MS,
    )


def missing(replicas: int, load: float, bounds: Bounds) -> float:
    """Replicas that the load would need beyond these."""
    return max(load / bounds.per_replica - replicas, 0.0)
