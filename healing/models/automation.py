"""What the platform may do for itself, what it proposed and did, and what has been done in all."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django_celery_beat.models import PeriodicTask

from alertsite.tenancy.managers import TenantModel
from healing.models.run import HealingRun


class Automation(TenantModel):
    """Something that the platform looks after by itself. Proposes until a person arms it.

    Saved through `healing.services.automations` alone. Those about the platform itself belong to the
    operator's tenant.
    """

    class Kind(models.TextChoices):
        """What it looks after: see `healing.automation.terms`."""

        TUNE = "tune", "sizes of the platform's pools"
        SCALE = "scale", "a service, on a forecast"
        PLACE = "place", "where a service runs"
        MAINTAIN = "maintain", "jobs by the clock"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    terms = models.JSONField(default=dict)
    enabled = models.BooleanField(default=True)
    armed_by = models.CharField(max_length=200, blank=True, editable=False)
    armed_at = models.DateTimeField(null=True, editable=False)
    periodic_task = models.OneToOneField(
        PeriodicTask, null=True, editable=False, on_delete=models.SET_NULL, related_name="automation"
    )
    next_due_at = models.DateTimeField(null=True, editable=False)
    leased_until = models.DateTimeField(editable=False)
    fencing_token = models.PositiveBigIntegerField(default=0, editable=False)
    tally = models.JSONField(default=dict, editable=False, help_text="What it has come to since it began.")
    fault = models.CharField(max_length=500, blank=True, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="automation_name_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["tune", "scale", "place", "maintain"]), name="automation_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(armed_by="", armed_at=None) | (~Q(armed_by="") & Q(armed_at__isnull=False)),
                name="automation_armed_by_somebody",
            ),
        ]
        indexes = [models.Index(fields=["next_due_at"], name="automation_due", condition=Q(enabled=True))]

    def __str__(self) -> str:
        return self.name

    @property
    def armed(self) -> bool:
        """Whether it acts; else it says what it would do."""
        return self.armed_at is not None


class Proposal(TenantModel):
    """One thing that an automation would do, or did: from what to what, why, and what became of it."""

    class State(models.TextChoices):
        """Where a proposal is."""

        PROPOSED = "proposed"
        APPROVED = "approved", "approved: being carried out"
        REFUSED = "refused"
        EXPIRED = "expired", "expired or overtaken"
        APPLIED = "applied"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    automation = models.ForeignKey(Automation, null=True, on_delete=models.SET_NULL, related_name="proposals")
    kind = models.CharField(max_length=10)
    subject = models.CharField(max_length=200, help_text="What would change.")
    current = models.CharField(max_length=200, blank=True, help_text="From what.")
    proposed = models.CharField(max_length=200, help_text="To what.")
    reason = models.TextField(help_text="Why, in words.")
    measured = models.JSONField(default=dict, help_text="The figures it comes from.")
    shadow = models.BooleanField(help_text="Only said: nobody is asked, and nothing is done.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PROPOSED)
    detail = models.CharField(max_length=500, blank=True, help_text="What became of it, in words.")
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    run = models.ForeignKey(HealingRun, null=True, on_delete=models.SET_NULL, related_name="proposals")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["automation", "subject"],
                condition=Q(state__in=["proposed", "approved"]),
                name="proposal_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "expired"]) | ~Q(decided_by=""),
                name="proposal_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(shadow=False) | Q(state__in=["proposed", "expired"]),
                name="proposal_in_shadow_only_said",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="proposal_expires_later"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "id"], name="proposal_newest"),
            models.Index(
                fields=["expires_at"], name="proposal_open", condition=Q(state__in=["proposed", "approved"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.current} to {self.proposed}"


class HealingTally(TenantModel):
    """How often an action of a playbook came to an outcome, ever. Outlives the runs that it counts."""

    playbook_name = models.CharField(max_length=200)
    word = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10)
    total = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["playbook_name", "word", "outcome"]
        verbose_name_plural = "healing tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "playbook_name", "word", "outcome"], name="healing_tally_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_name}, {self.word}, {self.outcome}: {self.total}"
