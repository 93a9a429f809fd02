"""Incidents: alerts that belong together by label, topology and time.

In: a new alert and the incidents that are open, what counts as shared, and edges between values such as
`("database-1", "shop")`. Out: the incident that the alert joins, or a new one, with the reason and the
evidence. One alert is looked at once, against at most `MAX_OPEN` incidents of at most `MAX_MEMBERS`
remembered alerts each.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from alertsite.core.errors import InvalidParameter

MAX_OPEN = 500
MAX_MEMBERS = 50

Edge: TypeAlias = tuple[str, str]


class IncidentReason(enum.StrEnum):
    """Why an alert joins an incident, or begins one."""

    SHARED_LABELS = "shared_labels"
    TOPOLOGY = "topology"
    NOTHING_SHARED = "nothing_shared"
    NOTHING_NEAR_IN_TIME = "nothing_near_in_time"
    NOTHING_OPEN = "nothing_open"


@dataclass(frozen=True, slots=True)
class CorrelationTerms:
    """What makes alerts belong together: `least_shared` of the labels with equal values, or an edge
    between the values of topology labels; in both cases no more than `window_ms` after the incident's
    last alert.

    Raises
    ------
    InvalidParameter
        If the window or the least number is not positive.
    """

    labels: tuple[str, ...]
    window_ms: int
    least_shared: int = 1
    topology_labels: tuple[str, ...] = ()
    edges: frozenset[Edge] = field(default=frozenset())

    def __post_init__(self) -> None:
        if self.window_ms <= 0:
            raise InvalidParameter("window_ms", self.window_ms, "more than 0")
        if self.least_shared < 1:
            raise InvalidParameter("least_shared", self.least_shared, "1 and more")


@dataclass(frozen=True, slots=True)
class Incident:
    """An open incident: the label sets of its alerts, newest last, and when the last of them began."""

    id: str
    last_ms: int
    members: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an alert belongs. `incident_id` is None for a new incident; `evidence` reads `host=a` or `a
    -> b`.
    """

    incident_id: str | None
    reason: IncidentReason
    evidence: tuple[str, ...] = ()


def assign(
    labels: Mapping[str, str], starts_ms: int, incidents: Sequence[Incident], terms: CorrelationTerms
) -> Assignment:
    """The incident that an alert joins: the one that shares most, then by topology, then the latest."""
    if not incidents:
        return Assignment(None, IncidentReason.NOTHING_OPEN)
    latest = sorted(incidents, key=lambda one: (one.last_ms, one.id), reverse=True)[:MAX_OPEN]
    near = [one for one in latest if abs(starts_ms - one.last_ms) <= terms.window_ms]
    if not near:
        return Assignment(None, IncidentReason.NOTHING_NEAR_IN_TIME)
    shared = [(_shared(labels, one, terms.labels), one) for one in near]
    evidence, incident = max(shared, key=lambda pair: len(pair[0]))
    if len(evidence) >= terms.least_shared:
        return Assignment(incident.id, IncidentReason.SHARED_LABELS, evidence)
    for one in near:
        edges = _edges(labels, one, terms)
        if edges:
            return Assignment(one.id, IncidentReason.TOPOLOGY, edges)
    return Assignment(None, IncidentReason.NOTHING_SHARED)


def join(incident: Incident, labels: Mapping[str, str], starts_ms: int) -> Incident:
    """The incident with the alert; of its alerts the newest are remembered."""
    members = (*incident.members, labels)[-MAX_MEMBERS:]
    return replace(incident, last_ms=max(incident.last_ms, starts_ms), members=members)


def _shared(labels: Mapping[str, str], incident: Incident, names: Iterable[str]) -> tuple[str, ...]:
    """The most that one alert of the incident shares; an absent label is shared with none."""
    own = {name: labels[name] for name in names if labels.get(name)}
    best: tuple[str, ...] = ()
    for member in incident.members:
        same = tuple(f"{name}={value}" for name, value in own.items() if member.get(name) == value)
        best = max(best, same, key=len)
    return best


def _edges(labels: Mapping[str, str], incident: Incident, terms: CorrelationTerms) -> tuple[str, ...]:
    """Edges between a topology value of the alert and one of the incident, in either direction."""
    own = _places(labels, terms)
    theirs = {place for member in incident.members for place in _places(member, terms)}
    pairs = {pair for here in own for there in theirs for pair in ((here, there), (there, here))}
    return tuple(f"{begin} -> {end}" for begin, end in sorted(pairs & terms.edges))


def _places(labels: Mapping[str, str], terms: CorrelationTerms) -> set[str]:
    return {labels[name] for name in terms.topology_labels if labels.get(name)}
