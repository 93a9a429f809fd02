"""Autoscaling on a forecast: bounded decisions, and what reacting would have done with the same load.

In: load now and as forecast, in what a replica can carry. Out: a size with its reason. It moves one bounded
step at a time, and down only after the cool-down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from alertsite.core.errors import InvalidParameter


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
    replicas, since_ms, paid, starved = bounds.minimum, bounds.cool_down_ms, 0, 0.0
    for load, forecast in zip(loads, forecasts, strict=True):
        paid += replicas
        starved += max(load - replicas * bounds.per_replica, 0.0)
        decided = decide(load, forecast, replicas, since_ms, bounds).replicas
        since_ms = 0 if decided != replicas else since_ms + step_ms
        replicas = decided
    return Outcome(paid, starved)
