"""Rows of beat: whatever is done by a crontab has one. Crontabs are shared, and never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django_celery_beat.models import CrontabSchedule, PeriodicTask

from healing.playbooks.schema import ScheduleTerms

_CRONTAB: Final = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


@dataclass(frozen=True, slots=True)
class Struck:
    """What is done when the clock strikes: a task, and the row that it is about."""

    task: str
    kind: str
    row_id: UUID
    name: str
    enabled: bool


def row_of_beat(row: PeriodicTask | None, terms: ScheduleTerms, struck: Struck) -> PeriodicTask:
    """The row of beat, made or changed.

    Raises
    ------
    ValidationError
        If the crontab has impossible values.
    """
    fields = dict(zip(_CRONTAB, terms.crontab.split(), strict=True)) | {"timezone": terms.timezone}
    row = row or PeriodicTask(name=f"{struck.kind} {struck.row_id}", task=struck.task)
    row.crontab, row.enabled = _crontab(fields), struck.enabled
    row.args, row.description = json.dumps([str(struck.row_id)]), struck.name
    row.save()
    return row


def _crontab(fields: Mapping[str, str]) -> CrontabSchedule:
    known = CrontabSchedule.objects.filter(**fields).first()
    if known is not None:
        return known
    fresh = CrontabSchedule(**fields)
    fresh.full_clean()
    fresh.save()
    return fresh
