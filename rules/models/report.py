"""Schedules of reports, and the reports that were made."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from alertsite.tenancy.managers import TenantModel


class Kind(models.TextChoices):
    """What a report tells."""

    OPERATIONS_DAILY = "operations_daily", "operations of the day"
    OPERATIONS_WEEKLY = "operations_weekly", "operations of the week"
    OPERATIONS_MONTHLY = "operations_monthly", "operations of the month"
    SERVICE_LEVELS = "service_levels", "service levels"
    ALERT_QUALITY = "alert_quality", "alert quality"


class Language(models.TextChoices):
    """What a report is written in."""

    ENGLISH = "en", "English"
    FRENCH = "fr", "French"


class ReportSchedule(TenantModel):
    """Which report is made when, and who gets it. Saved through `rules.services.reportschedules` alone.

    When is a row of django-celery-beat, crontab and time zone: its own page in the admin edits it too.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    periodic_task = models.OneToOneField(
        PeriodicTask, null=True, editable=False, on_delete=models.SET_NULL, related_name="report_schedule"
    )
    recipients = models.JSONField(
        default=list, blank=True, help_text="E-mail addresses. None: kept for download."
    )
    language = models.CharField(max_length=2, choices=Language.choices, default=Language.ENGLISH)
    options = models.JSONField(
        default=dict, blank=True, help_text="Of service levels: the objectives. Of other kinds: nothing."
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="report_schedule_name_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def crontab(self) -> str:
        """Minute, hour, day of month, month and day of week; empty once somebody deleted its row."""
        row = self.periodic_task.crontab if self.periodic_task else None
        if row is None:
            return ""
        return f"{row.minute} {row.hour} {row.day_of_month} {row.month_of_year} {row.day_of_week}"

    @property
    def timezone(self) -> str:
        """In which the crontab is read, and days begin."""
        row = self.periodic_task.crontab if self.periodic_task else None
        return "UTC" if row is None else str(row.timezone)


class Report(TenantModel):
    """One report of one period. Made once, whoever claims it; then sent until every recipient has it.

    It carries copies of what its schedule said, so that it stays true when that changes.
    """

    class Status(models.TextChoices):
        """Where a report is. It ends done or failed."""

        DUE = "due"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    schedule = models.ForeignKey(ReportSchedule, null=True, on_delete=models.SET_NULL, related_name="reports")
    key = models.CharField(
        max_length=100, help_text="The period, or the request: one report a schedule and key."
    )
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    language = models.CharField(max_length=2, choices=Language.choices)
    timezone = models.CharField(max_length=63)
    recipients = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DUE)
    cause = models.CharField(max_length=300, blank=True, help_text="Why it failed, or is tried again.")
    facts = models.JSONField(null=True)
    html = models.TextField(blank=True)
    pdf = models.BinaryField(null=True)
    receipts = models.JSONField(default=dict, help_text="What became of the mail, by recipient.")
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, help_text="When it was made.")
    delivered_at = models.DateTimeField(null=True, help_text="When the last recipient had it.")

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "key"], name="report_once_a_period"),
            models.CheckConstraint(
                condition=Q(status__in=["due", "running", "done", "failed"]), name="report_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | ~Q(cause=""), name="report_failed_has_a_cause"
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(finished_at__isnull=False), name="report_done_is_made"
            ),
            models.CheckConstraint(
                condition=Q(period_end__gt=models.F("period_start")), name="report_period_ordered"
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="report_due", condition=Q(status__in=["due", "running"])
            ),
            models.Index(fields=["tenant", "-created_at", "id"], name="report_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.name}, {self.period_start:%F}"
