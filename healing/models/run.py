"""Runs of playbooks, and the alerts that may start one."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from healing.models.playbook import Playbook, PlaybookVersion


class HealingCue(TenantModel):
    """That an alert began to fire in a tenant that has playbooks for alerts. Gone once it is looked at.

    Rows are made by a trigger of the table of transitions, in the transaction that stores the change.
    """

    transition_id = models.UUIDField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.transition_id)


class HealingRun(TenantModel):
    """One run of a playbook. Whoever holds the newest token moves it on; it stops between any two rows."""

    class Cause(models.TextChoices):
        """What started it."""

        ALERT = "alert"
        PREDICTION = "prediction"
        SCHEDULE = "schedule"
        PERSON = "person"

    class State(models.TextChoices):
        """Where a run is: see `healing.execution.states`."""

        WAITING = "waiting", "to begin"
        HELD = "held", "held: something is in the way"
        AWAITING = "awaiting", "awaiting a person"
        RUNNING = "running"
        VERIFYING = "verifying"
        ROLLING_BACK = "rolling_back", "rolling back"
        UNCERTAIN = "uncertain", "uncertain: a person must look"
        SUCCEEDED = "succeeded"
        REHEARSED = "rehearsed"
        FAILED = "failed"
        ROLLED_BACK = "rolled_back", "failed and rolled back"
        ROLLBACK_FAILED = "rollback_failed", "failed, and so did the rollback"
        REJECTED = "rejected"
        EXPIRED = "expired", "not approved in time"
        GIVEN_UP = "given_up", "given up before it began"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    playbook = models.ForeignKey(Playbook, null=True, on_delete=models.SET_NULL, related_name="runs")
    playbook_name = models.CharField(max_length=200)
    version = models.ForeignKey(PlaybookVersion, null=True, on_delete=models.SET_NULL, related_name="runs")
    dry = models.BooleanField(help_text="Looks and says what it would do; changes nothing.")
    cause = models.CharField(max_length=10, choices=Cause.choices)
    start_key = models.CharField(max_length=100, help_text="What started it: one run a playbook and key.")
    started_by = models.CharField(max_length=200, blank=True, help_text="The person, if one did.")
    labels = models.JSONField(default=dict)
    annotations = models.JSONField(default=dict)
    value = models.FloatField(null=True)
    alert_id = models.UUIDField(null=True)
    transition_id = models.UUIDField(null=True)
    caused_at = models.DateTimeField(
        help_text="When the alert began to fire, the clock struck, the person asked."
    )
    target = models.CharField(max_length=500, help_text="What is repaired, for cool-down.")
    state = models.CharField(max_length=15, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it is where it is.")
    subject = models.CharField(
        max_length=100, blank=True, help_text="Step that awaits a person; empty: the plan."
    )
    plan_hash = models.CharField(max_length=64, blank=True)
    needed = models.PositiveSmallIntegerField(default=0, help_text="People who must say yes.")
    expires_at = models.DateTimeField(null=True, help_text="Until when.")
    granted = models.PositiveSmallIntegerField(default=0, help_text="People who said yes to the plan.")
    granted_hash = models.CharField(max_length=64, blank=True, help_text="The plan that they said yes to.")
    cancelled_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    first_action_at = models.DateTimeField(null=True, help_text="When the first call was about to be made.")
    healthy_since = models.DateTimeField(null=True)
    flaps = models.PositiveIntegerField(default=0)
    verify_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cost_per_hour = models.FloatField(null=True, help_text="By how much the bill changed, US dollars.")
    next_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "playbook", "start_key"], name="healing_run_once"),
            models.CheckConstraint(
                condition=Q(finished_at=None, next_at__isnull=False)
                | Q(finished_at__isnull=False, next_at=None)
                | Q(state="uncertain", finished_at=None),
                name="healing_run_ends_or_is_due",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], name="healing_run_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["tenant", "-created_at", "id"], name="healing_run_newest"),
            models.Index(
                fields=["tenant", "playbook"],
                name="healing_run_active",
                condition=Q(began_at__isnull=False, finished_at=None),
            ),
            models.Index(
                fields=["tenant", "playbook", "target", "-first_action_at"], name="healing_run_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_name}: {self.state}"
