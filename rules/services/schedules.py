"""On-call schedules as they are stored: who is on call, the shifts of a span, calendars in and out.

A schedule has layers, or follows a calendar whose events name people; overrides come before both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import F

from alertsite.audit.services import Deed, record
from alertsite.core.clock import from_datetime, to_datetime
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from rules.alerts import oncall
from rules.alerts.calendars import overrides_from_ical, to_ical
from rules.alerts.notation import layers_from
from rules.alerts.oncall import Override, Schedule
from rules.models import OnCallOverride, OnCallSchedule, Person
from rules.services.authoring import Author

MAX_SPAN: Final = timedelta(days=100)
"""Of the shifts that are listed at once."""
FEED_BEFORE: Final = timedelta(days=7)
FEED_AFTER: Final = timedelta(days=90)
"""What the calendar that others subscribe to shows."""
_SIGNER: Final = signing.Signer(salt="alertsite.schedule-calendar")
"""Without a time, so that an address stays the same."""


class InvalidCalendarLink(PlatformError):
    """A calendar's address is none of ours, or was replaced by another."""

    code = "calendar.link"


@dataclass(frozen=True, slots=True)
class NamedShift:
    """People on call for a time; the end is excluded."""

    people: list[Person]
    starts_at: datetime
    ends_at: datetime


def people_on_call(schedule: OnCallSchedule, at: datetime) -> list[Person]:
    """Who is on call at a moment; perhaps nobody.

    Raises
    ------
    PlatformError
        If the stored layers or the calendar do not read any more.
    """
    at_ms = from_datetime(at)
    found = oncall.on_call(_stage_schedule(schedule, at_ms, at_ms + 1), at_ms)
    people = _people(schedule.tenant_id, found)
    return [people[member] for member in found if member in people]


def shifts(schedule: OnCallSchedule, starts_at: datetime, ends_at: datetime) -> list[NamedShift]:
    """The shifts of a span, cut to it, in order; times when nobody is on call are left out.

    Raises
    ------
    InvalidParameter
        If the span has no length or is longer than `MAX_SPAN`.
    """
    if not starts_at < ends_at <= starts_at + MAX_SPAN:
        raise InvalidParameter(
            "to", ends_at.isoformat(), f"a moment within {MAX_SPAN.days} days after `from`"
        )
    begin_ms, end_ms = from_datetime(starts_at), from_datetime(ends_at)
    found = oncall.shifts(_stage_schedule(schedule, begin_ms, end_ms), begin_ms, end_ms)
    people = _people(schedule.tenant_id, [member for shift in found for member in shift.members])
    return [
        NamedShift(
            [people[member] for member in shift.members if member in people],
            to_datetime(shift.begin_ms),
            to_datetime(shift.end_ms),
        )
        for shift in found
    ]


def names_in_calendar(text: str, now: datetime) -> frozenset[str]:
    """Everybody whom the events of the next year name.

    Raises
    ------
    InvalidSchedule, InvalidRecurrence
        If the calendar cannot be read, or costs too much to follow.
    """
    begin_ms = from_datetime(now)
    overrides = overrides_from_ical(text, begin_ms, begin_ms + oncall.MAX_SPAN_MS)
    return frozenset(one.member for one in overrides)


def calendar_url(schedule: OnCallSchedule) -> str:
    """Where calendar programs subscribe to the schedule. Whoever knows the address may read it."""
    token = _SIGNER.sign_object([schedule.pk.hex, schedule.calendar_generation])
    return f"{settings.PUBLIC_URL}/ical/{token}/schedule.ics"


def replace_calendar_url(schedule: OnCallSchedule, author: Author) -> OnCallSchedule:
    """Make the calendar's address void, for another."""
    with transaction.atomic():
        rows = OnCallSchedule.objects.for_tenant(schedule.tenant_id).filter(pk=schedule.pk)
        rows.update(calendar_generation=F("calendar_generation") + 1)
        deed = Deed(author.name, "oncallschedule.address_replaced", f"oncallschedule:{schedule.pk}", {})
        record(schedule.tenant_id, deed, at=author.now)
    schedule.refresh_from_db(fields=["calendar_generation"])
    return schedule


def calendar_of(token: str, *, now: datetime) -> str:
    """The schedule that a token names, as a calendar.

    Raises
    ------
    InvalidCalendarLink
    """
    try:
        schedule_id, generation = _SIGNER.unsign_object(token)
    except signing.BadSignature:
        raise InvalidCalendarLink("the address is not one of ours, or was changed") from None
    with platform_scope():
        rows = OnCallSchedule.across_tenants.filter(pk=UUID(schedule_id), calendar_generation=generation)
        schedule = rows.first()
    if schedule is None:
        raise InvalidCalendarLink("the schedule is gone, or its address was replaced")
    with tenant_scope(schedule.tenant_id):
        begin_ms, end_ms = from_datetime(now - FEED_BEFORE), from_datetime(now + FEED_AFTER)
        found = oncall.shifts(_stage_schedule(schedule, begin_ms, end_ms), begin_ms, end_ms)
        people = _people(schedule.tenant_id, [member for shift in found for member in shift.members])
    named = [replace(shift, members=_names(shift.members, people)) for shift in found]
    return to_ical(schedule.name, named, stamp_ms=from_datetime(now))


def _names(members: Sequence[str], people: Mapping[str, Person]) -> tuple[str, ...]:
    return tuple(people[member].name for member in members if member in people)


def _stage_schedule(schedule: OnCallSchedule, begin_ms: int, end_ms: int) -> Schedule:
    """As the stage has it, with what overrides it in the span. Members are ids of people."""
    rows = OnCallOverride.objects.for_tenant(schedule.tenant_id).filter(
        schedule=schedule, starts_at__lt=to_datetime(end_ms), ends_at__gt=to_datetime(begin_ms)
    )
    overrides = tuple(
        Override(str(row.person_id), from_datetime(row.starts_at), from_datetime(row.ends_at)) for row in rows
    )
    if not schedule.ical:
        return Schedule(layers_from(schedule.layers, schedule.timezone), overrides)
    events = overrides_from_ical(schedule.ical, begin_ms, end_ms)
    people = Person.objects.for_tenant(schedule.tenant_id).filter(name__in={one.member for one in events})
    ids = {person.name: str(person.pk) for person in people}
    known = [replace(one, member=ids[one.member]) for one in events if one.member in ids]
    return Schedule((), (*overrides, *oncall.uncovered(known, overrides)))


def _people(tenant_id: UUID, members: Sequence[str]) -> dict[str, Person]:
    """People by id. Whoever is gone is missing."""
    rows = Person.objects.for_tenant(tenant_id).filter(pk__in=set(members))
    return {str(row.pk): row for row in rows}
