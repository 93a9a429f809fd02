"""Schedules of reports: checked, kept beside their row of django-celery-beat, audited."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from rules.models import ReportSchedule, Rule
from rules.reports.options import LevelsOptions, read_options
from rules.reports.periods import ReportKind, zone_of
from rules.services.authoring import Author

REQUEST_REPORT: Final = "rules.tasks.reporting.request_report"
"""Task that beat sends, known here by name: services do not import tasks."""
MAX_RECIPIENTS: Final = 50
FIELDS: Final = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class InvalidReportSchedule(PlatformError):
    """A schedule cannot be saved. `errors` has a reason for each field."""

    code: ClassVar[str] = "report.invalid_schedule"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Timing:
    """When: minute, hour, day of month, month, day of week, by the clock of a zone."""

    crontab: str
    timezone: str


def save_schedule(schedule: ReportSchedule, timing: Timing, author: Author) -> ReportSchedule:
    """Store a new or changed schedule; beat follows within seconds.

    Raises
    ------
    InvalidReportSchedule, ValidationError
        Nothing is stored then.
    """
    check_schedule(schedule, timing)
    schedule.full_clean()
    with transaction.atomic():
        schedule.periodic_task = _row_of_beat(schedule, timing)
        schedule.save()
        detail = {"name": schedule.name, "kind": schedule.kind, "crontab": timing.crontab}
        deed = Deed(author.name, "report_schedule.saved", f"report_schedule:{schedule.pk}", detail)
        record(schedule.tenant_id, deed, at=author.now)
    return schedule


def delete_schedule(schedule: ReportSchedule, author: Author) -> None:
    """Remove a schedule. The reports it made stay."""
    with transaction.atomic():
        deed = Deed(
            author.name,
            "report_schedule.deleted",
            f"report_schedule:{schedule.pk}",
            {"name": schedule.name},
        )
        record(schedule.tenant_id, deed, at=author.now)
        row = schedule.periodic_task
        schedule.delete()
        if row is not None:
            row.delete()


def check_schedule(schedule: ReportSchedule, timing: Timing) -> None:
    """Refuse what could not be made or sent.

    Raises
    ------
    InvalidReportSchedule
    """
    errors: dict[str, str] = {}
    for name, check in (
        ("crontab", lambda: _crontab(timing).full_clean()),
        ("timezone", lambda: zone_of(timing.timezone)),
        ("recipients", lambda: _check_recipients(schedule.recipients)),
        ("options", lambda: _check_options(schedule)),
    ):
        try:
            check()
        except ValidationError as error:
            errors[name] = "; ".join(error.messages)
        except (PlatformError, ValueError) as error:
            errors[name] = str(error)
    if errors:
        raise InvalidReportSchedule(errors)


def _crontab(timing: Timing) -> CrontabSchedule:
    parts = timing.crontab.split()
    if len(parts) != len(FIELDS):
        raise ValueError(f"{timing.crontab!r} has {len(parts)} fields, a crontab has {len(FIELDS)}")
    return CrontabSchedule(**dict(zip(FIELDS, parts, strict=True)), timezone=timing.timezone)


def _check_recipients(recipients: object) -> None:
    if not isinstance(recipients, list) or len(recipients) > MAX_RECIPIENTS:
        raise ValidationError(f"a list of at most {MAX_RECIPIENTS} addresses is needed")
    for one in recipients:
        if not isinstance(one, str):
            raise ValidationError(f"{one!r} is no address")
        validate_email(one)


def _check_options(schedule: ReportSchedule) -> None:
    options = read_options(ReportKind(schedule.kind), schedule.options)
    if isinstance(options, LevelsOptions):
        wanted = {level.rule for level in options.levels if level.rule is not None}
        known = Rule.objects.for_tenant(schedule.tenant_id).filter(pk__in=wanted)
        missing = wanted - set(known.values_list("pk", flat=True))
        if missing:
            raise ValidationError(f"the tenant has no rule {min(missing)}")


def _row_of_beat(schedule: ReportSchedule, timing: Timing) -> PeriodicTask:
    """The row of beat, made or changed. Crontabs are shared by who has the same, and never changed."""
    wanted = _crontab(timing)
    terms = {name: getattr(wanted, name) for name in (*FIELDS, "timezone")}
    crontab = CrontabSchedule.objects.filter(**terms).first() or CrontabSchedule.objects.create(**terms)
    row = schedule.periodic_task or PeriodicTask(name=f"report {schedule.pk}", task=REQUEST_REPORT)
    row.crontab, row.enabled = crontab, schedule.enabled
    row.args, row.description = json.dumps([str(schedule.pk)]), schedule.name
    row.save()
    return row
