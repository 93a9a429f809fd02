"""Saving who is told: people, teams, on-call schedules and overrides, escalation policies.

Whoever is named by a rotation, a calendar or a policy cannot be removed: the refusal says where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from alertsite.tenancy.managers import TenantModel
from alertsite.tenancy.models import Membership
from rules.alerts.escalation import MAX_HAND_OVERS, Policy, TargetKind
from rules.alerts.notation import layers_from, steps_from, targets_of
from rules.models import (
    Escalation,
    EscalationPolicy,
    OnCallOverride,
    OnCallSchedule,
    Person,
    Receiver,
    Route,
    Team,
)
from rules.services.authoring import Author
from rules.services.schedules import names_in_calendar

R = TypeVar("R", Person, Team, OnCallSchedule, OnCallOverride, EscalationPolicy)
TARGETS: Final[Mapping[TargetKind, type[TenantModel]]] = {
    TargetKind.PERSON: Person,
    TargetKind.TEAM: Team,
    TargetKind.SCHEDULE: OnCallSchedule,
    TargetKind.RECEIVER: Receiver,
}


class InvalidPeople(PlatformError):
    """What was to be saved does not fit. `errors` has a reason for each field."""

    code = "people.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


class StillNamed(PlatformError):
    """What was to be removed is named elsewhere."""

    code = "people.in_use"

    def __init__(self, row: Model, places: Sequence[str]) -> None:
        super().__init__(f"{row} is still named by {'; '.join(places[:5])}")


def save(row: R, author: Author, related: Mapping[str, Iterable[Model]] | None = None) -> R:
    """Store a row, and what it is related to (`receivers` of a person, `members` of a team).

    Raises
    ------
    InvalidPeople, ValidationError
        Nothing is stored then.
    """
    row.full_clean()
    check(row, author, related)
    with transaction.atomic():
        row.save()
        for name, others in (related or {}).items():
            getattr(row, name).set(others)
        _record(row, author, "saved")
    return row


def delete(row: R, author: Author) -> None:
    """Remove a row that nothing names.

    Raises
    ------
    StillNamed
    """
    with transaction.atomic():
        places = list(places_of(row))
        if places:
            raise StillNamed(row, places)
        _record(row, author, "deleted")
        row.delete()


def check(row: R, author: Author, related: Mapping[str, Iterable[Model]] | None = None) -> None:
    """Refuse what does not fit, or is of another tenant.

    Raises
    ------
    InvalidPeople
        With a reason for the field that is wrong.
    """
    for name, others in (related or {}).items():
        _check_own(row, name, others)
    _CHECKS[type(row)](row, author)


def policy_of(row: EscalationPolicy) -> Policy:
    """A policy as the stage has it.

    Raises
    ------
    InvalidNotation, InvalidPolicy
    """
    return Policy(
        id=str(row.pk),
        steps=steps_from(row.steps),
        repeats=row.repeat_count,
        repeat_delay_ms=row.repeat_delay_s * 1000,
        hand_over_to="" if row.hand_over_to_id is None else str(row.hand_over_to_id),
    )


def places_of(row: TenantModel) -> Iterator[str]:
    """Where a person, team, schedule, receiver or policy is named, in words."""
    if isinstance(row, Person):
        yield from _rotations_with(row)
        yield from _calendars_with(row)
    if isinstance(row, EscalationPolicy):
        yield from _users_of_policy(row)
    for policy in EscalationPolicy.objects.for_tenant(row.tenant_id):
        ids = {target.id for target in targets_of(steps_from(policy.steps))}
        if str(row.pk) in ids:
            yield f"escalation policy {policy.name!r}"


def _rotations_with(person: Person) -> Iterator[str]:
    for schedule in OnCallSchedule.objects.for_tenant(person.tenant_id):
        for number, layer in enumerate(layers_from(schedule.layers, schedule.timezone), start=1):
            if str(person.pk) in layer.members:
                yield f"layer {number} of schedule {schedule.name!r}"


def _calendars_with(person: Person) -> Iterator[str]:
    """Calendars name people by the summaries of their events: a text search is enough to be careful."""
    rows = OnCallSchedule.objects.for_tenant(person.tenant_id).filter(ical__contains=person.name)
    return (f"the calendar of schedule {schedule.name!r}" for schedule in rows)


def _users_of_policy(policy: EscalationPolicy) -> Iterator[str]:
    tenant_id = policy.tenant_id
    for route in Route.objects.for_tenant(tenant_id).filter(escalation_policy=policy):
        yield f"route {route}"
    for other in EscalationPolicy.objects.for_tenant(tenant_id).filter(hand_over_to=policy):
        yield f"escalation policy {other.name!r}, which hands over to it"
    if Escalation.objects.for_tenant(tenant_id).filter(policy=policy, status="running").exists():
        yield "an escalation that is running"


def _check_own(row: TenantModel, name: str, others: Iterable[Model]) -> None:
    if any(getattr(other, "tenant_id", None) != row.tenant_id for other in others):
        raise InvalidPeople({name: "names what the tenant does not have"})


def _check_person(person: Person, author: Author) -> None:  # noqa: ARG001 (one signature for all checks)
    if person.user is not None:
        members = Membership.objects.for_tenant(person.tenant_id)
        if not members.filter(user=person.user).exists():
            raise InvalidPeople({"user": "is no member of the tenant"})
    before = Person.objects.for_tenant(person.tenant_id).filter(pk=person.pk).first()
    if before is not None and before.name != person.name:
        places = list(_calendars_with(before))
        if places:
            raise InvalidPeople({"name": f"{before.name!r} is named by {'; '.join(places[:5])}"})


def _check_team(team: Team, author: Author) -> None:
    """A team may be empty, and named as it likes."""


def _check_schedule(schedule: OnCallSchedule, author: Author) -> None:
    try:
        layers = layers_from(schedule.layers, schedule.timezone)
    except PlatformError as error:
        raise InvalidPeople({"timezone" if "time zone" in str(error) else "layers": str(error)}) from None
    members = {UUID(member) for layer in layers for member in layer.members}
    unknown = members - _known(Person, schedule.tenant_id, members)
    if unknown:
        raise InvalidPeople({"layers": f"the tenant has no person {min(unknown)}"})
    if schedule.ical:
        _check_calendar(schedule, author)


def _check_calendar(schedule: OnCallSchedule, author: Author) -> None:
    if schedule.layers:
        raise InvalidPeople({"ical": "a schedule has layers or follows a calendar, not both"})
    try:
        names = names_in_calendar(schedule.ical, author.now)
    except PlatformError as error:
        raise InvalidPeople({"ical": str(error)}) from None
    people = Person.objects.for_tenant(schedule.tenant_id).filter(name__in=names)
    unknown = names - set(people.values_list("name", flat=True))
    if unknown:
        raise InvalidPeople(
            {"ical": f"an event names {min(unknown)[:100]!r}, who is no person of the tenant"}
        )


def _check_override(override: OnCallOverride, author: Author) -> None:  # noqa: ARG001
    for name in ("schedule", "person"):
        _check_own(override, name, [getattr(override, name)])


def _check_policy(row: EscalationPolicy, author: Author) -> None:  # noqa: ARG001
    try:
        policy = policy_of(row)
    except PlatformError as error:
        raise InvalidPeople({"steps": str(error)}) from None
    for target in targets_of(policy.steps):
        model = TARGETS[target.kind]
        if not _known(model, row.tenant_id, {UUID(target.id)}):
            raise InvalidPeople({"steps": f"the tenant has no {target.kind} {target.id}"})
    passed: set[UUID] = {row.pk}
    following = row.hand_over_to
    while following is not None:
        if following.tenant_id != row.tenant_id:
            raise InvalidPeople({"hand_over_to": "is no policy of the tenant"})
        if following.pk in passed or len(passed) > MAX_HAND_OVERS:
            raise InvalidPeople({"hand_over_to": f"is a circle, or more than {MAX_HAND_OVERS} policies long"})
        passed.add(following.pk)
        following = following.hand_over_to


def _known(model: type[TenantModel], tenant_id: UUID, ids: set[UUID]) -> set[UUID]:
    return set(model.objects.for_tenant(tenant_id).filter(pk__in=ids).values_list("pk", flat=True))


def _record(row: TenantModel, author: Author, what: str) -> None:
    kind = type(row).__name__.lower()
    deed = Deed(author.name, f"{kind}.{what}", f"{kind}:{row.pk}", {"is": str(row)})
    record(row.tenant_id, deed, at=author.now)


_CHECKS: Final[Mapping[type, Callable[[Any, Author], None]]] = {
    Person: _check_person,
    Team: _check_team,
    OnCallSchedule: _check_schedule,
    OnCallOverride: _check_override,
    EscalationPolicy: _check_policy,
}
