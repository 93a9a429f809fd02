"""Whom a step of an escalation reaches now, and by which receivers; nobody, too, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from alertsite.core.errors import PlatformError
from rules.alerts.escalation import Target
from rules.models import OnCallSchedule, Person, Receiver, Team
from rules.services.people import TARGETS
from rules.services.schedules import people_on_call


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody whom a step tells by a receiver; or why it reaches nobody."""

    words: str
    receiver: Receiver | None = None


def reach(tenant_id: UUID, targets: Iterable[Target], *, now: datetime) -> list[Reached]:
    """Everybody whom the targets stand for at this moment, in their order."""
    return [reached for target in targets for reached in _reach(tenant_id, target, now)]


def _reach(tenant_id: UUID, target: Target, now: datetime) -> Iterator[Reached]:
    row = TARGETS[target.kind].objects.for_tenant(tenant_id).filter(pk=target.id).first()
    if row is None:
        yield Reached(f"{target.kind} {target.id} is gone")
        return
    words = f"{target.kind} {row}"
    if isinstance(row, Receiver):
        yield Reached(words, row) if row.enabled else Reached(f"{words} is disabled")
    elif isinstance(row, Person):
        yield from _person(words, row)
    elif isinstance(row, Team):
        yield from _people(words, row.members.all(), "has no members")
    elif isinstance(row, OnCallSchedule):
        yield from _on_call(words, row, now)


def _on_call(words: str, schedule: OnCallSchedule, now: datetime) -> Iterator[Reached]:
    try:
        people = people_on_call(schedule, now)
    except PlatformError as error:
        yield Reached(f"{words} does not read: {error}")
        return
    yield from _people(words, people, "has nobody on call")


def _people(words: str, people: Iterable[Person], nobody: str) -> Iterator[Reached]:
    found = list(people)
    if not found:
        yield Reached(f"{words} {nobody}")
    for person in found:
        yield from _person(f"{words}: {person}", person)


def _person(words: str, person: Person) -> Iterator[Reached]:
    receivers = list(person.receivers.filter(enabled=True).order_by("name"))
    if not receivers:
        yield Reached(f"{words} has no receiver that is enabled")
    for receiver in receivers:
        yield Reached(words, receiver)
