"""Playbooks, each text of them that was saved, and what a tenant allows all of them."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from alertsite.tenancy.managers import TenantModel


class Playbook(TenantModel):
    """What to do when. Rehearses until a person arms the very version that would run.

    Saved through `healing.services.playbooks` alone.
    """

    class Trigger(models.TextChoices):
        """What starts a run."""

        ALERT = "alert"
        PREDICTION = "prediction"
        SCHEDULE = "schedule"
        MANUAL = "manual"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    enabled = models.BooleanField(default=True)
    trigger_kind = models.CharField(max_length=10, choices=Trigger.choices, editable=False)
    version = models.ForeignKey(
        "healing.PlaybookVersion", null=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    armed_by = models.CharField(max_length=200, blank=True, editable=False)
    armed_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="Runs that failed in a row.")
    breaker_opened_at = models.DateTimeField(
        null=True, editable=False, help_text="Since when it starts nothing, until a person resets it."
    )
    periodic_task = models.OneToOneField(
        PeriodicTask, null=True, editable=False, on_delete=models.SET_NULL, related_name="playbook"
    )
    next_due_at = models.DateTimeField(null=True, editable=False, help_text="Of predictions.")
    holding = models.JSONField(
        default=dict, editable=False, help_text="Predictions that hold: fingerprint to since when, ms."
    )
    leased_until = models.DateTimeField(editable=False)
    fencing_token = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="playbook_name_once"),
            models.CheckConstraint(
                condition=Q(trigger_kind__in=["alert", "prediction", "schedule", "manual"]),
                name="playbook_trigger_known",
            ),
            models.CheckConstraint(
                condition=Q(armed_by="", armed_at=None) | (~Q(armed_by="") & Q(armed_at__isnull=False)),
                name="playbook_armed_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_due_at"],
                name="playbook_prediction_due",
                condition=Q(enabled=True, trigger_kind="prediction"),
            ),
            models.Index(
                fields=["tenant"], name="playbook_for_alerts", condition=Q(enabled=True, trigger_kind="alert")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def armed(self) -> bool:
        """Whether its runs act."""
        return self.armed_at is not None


class PlaybookVersion(TenantModel):
    """A playbook as it was saved once. Never changed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    playbook = models.ForeignKey(Playbook, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["playbook", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["playbook", "number"], name="playbook_version_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.playbook_id} version {self.number}"


class HealingPolicy(TenantModel):
    """What a tenant allows all of its playbooks: who must approve, by risk, and how much may be touched."""

    class Need(models.TextChoices):
        """Who must say yes."""

        NONE = "none", "nobody"
        ONE = "one", "one person"
        FOUR_EYES = "four-eyes", "two people"

    low = models.CharField(max_length=9, choices=Need.choices, default=Need.NONE)
    medium = models.CharField(max_length=9, choices=Need.choices, default=Need.ONE)
    high = models.CharField(max_length=9, choices=Need.choices, default=Need.FOUR_EYES)
    per_hour = models.PositiveIntegerField(
        default=200, validators=[MinValueValidator(1)], help_text="Resources that may be touched in an hour."
    )
    per_class_hour = models.JSONField(
        default=dict, blank=True, help_text='Of one class of resources, such as {"database": 2}.'
    )
    share = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.01), MaxValueValidator(1)],
        help_text="Of a group that may be touched in an hour; one always may.",
    )
    concurrent = models.PositiveIntegerField(
        default=50, validators=[MinValueValidator(1)], help_text="Runs at the same time."
    )

    class Meta:
        verbose_name_plural = "healing policies"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="healing_policy_once_a_tenant")]

    def __str__(self) -> str:
        return f"low {self.low}, medium {self.medium}, high {self.high}"
