"""What people do with alerts, and the incidents that alerts belong to."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel


class AlertAction(TenantModel):
    """One thing a person did with an alert. Never changed."""

    class Kind(models.TextChoices):
        """What was done."""

        ACKNOWLEDGED = "acknowledged"
        UNACKNOWLEDGED = "unacknowledged"
        ASSIGNED = "assigned"
        COMMENTED = "commented"
        SNOOZED = "snoozed"
        UNSNOOZED = "unsnoozed"
        RESOLVED = "resolved", "resolved by hand"
        DAMPED = "damped", "damped since it flaps"
        UNDAMPED = "undamped", "damping undone"

    alert_id = models.UUIDField()
    kind = models.CharField(max_length=14, choices=Kind.choices)
    actor = models.CharField(max_length=200)
    at = models.DateTimeField()
    text = models.TextField(blank=True, help_text="Comment, assignee or moment, by kind.")

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["alert_id", "at"], name="alert_action_by_alert")]

    def __str__(self) -> str:
        return f"{self.actor} {self.kind}"


class Feedback(TenantModel):
    """What a person thought of an alert, or of one that never came. Labels for models and reports."""

    class Verdict(models.TextChoices):
        """What they say."""

        USEFUL = "useful"
        NOISE = "noise"
        MISSED = "missed", "missed: there should have been an alert"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verdict = models.CharField(max_length=6, choices=Verdict.choices)
    alert_id = models.UUIDField(null=True, blank=True)
    rule = models.ForeignKey(
        "rules.Rule", null=True, blank=True, on_delete=models.SET_NULL, related_name="feedback"
    )
    labels = models.JSONField(default=dict, blank=True)
    starts_at = models.DateTimeField(help_text="Of the time that is judged.")
    ends_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=200)
    comment = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["alert_id", "actor"],
                condition=Q(alert_id__isnull=False),
                name="feedback_once_a_person",
            ),
            models.CheckConstraint(
                condition=Q(verdict="missed") | Q(alert_id__isnull=False), name="feedback_judges_an_alert"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-at"], name="feedback_newest")]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.actor}"


class Incident(TenantModel):
    """Alerts that belong together, with the reason."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="When its newest alert began.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "id"]
        indexes = [
            models.Index(fields=["tenant", "-last_at"], name="incident_open", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return self.title


class IncidentAlert(TenantModel):
    """That an alert belongs to an incident, and why."""

    incident = models.ForeignKey(
        Incident,
        on_delete=models.CASCADE,
        related_name="alerts",
        db_index=False,  # `incident_alert_newest` begins with it
    )
    alert_id = models.UUIDField()
    labels = models.JSONField()
    started_at = models.DateTimeField()
    reason = models.CharField(max_length=30)
    evidence = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["started_at", "id"]
        constraints = [models.UniqueConstraint(fields=["alert_id"], name="alert_in_one_incident")]
        indexes = [models.Index(fields=["incident", "-started_at"], name="incident_alert_newest")]

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.reason}"
