"""What comes from elsewhere: heartbeats of jobs, alerts of other systems."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel


class Heartbeat(TenantModel):
    """A job that must call home. When it has not for `period + grace`, an alert begins."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    token_digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text="SHA-256 of the token."
    )
    period_s = models.PositiveIntegerField(
        default=3600, validators=[MinValueValidator(10), MaxValueValidator(400 * 86_400)]
    )
    grace_s = models.PositiveIntegerField(default=300, validators=[MaxValueValidator(400 * 86_400)])
    labels = models.JSONField(default=dict, blank=True)
    annotations = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    last_ping_at = models.DateTimeField(null=True, blank=True)
    last_outcome = models.CharField(max_length=10, blank=True, help_text="success, fail or start.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="When it is missing.")
    down_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since it is missing or said that it failed."
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="heartbeat_name_once")]
        indexes = [models.Index(fields=["due_at"], name="heartbeat_due", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return self.name


class InboundHook(TenantModel):
    """An address that other systems post JSON to, and how it becomes alerts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    token_digest = models.CharField(
        max_length=64, unique=True, editable=False, help_text="SHA-256 of the token."
    )
    mapping = models.JSONField(help_text="Paths into the posted document. See docs/notifications.md.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="inbound_hook_name_once")]

    def __str__(self) -> str:
        return self.name
