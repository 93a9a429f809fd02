"""Receivers, the outbox, and each attempt to deliver."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from alertsite.web.encryption import EncryptedJSONField


class Receiver(TenantModel):
    """Where notifications go. What `config` and `secrets` hold depends on the kind: see
    rules/notify/receivers.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=30)
    config = models.JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField(default=dict, blank=True, help_text="Encrypted at rest, never shown again.")
    enabled = models.BooleanField(default=True)
    send_resolved = models.BooleanField(default=True, help_text="Also tell when alerts are over.")
    max_per_minute = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="More wait. Empty: no limit."
    )
    canary_every_s = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(60), MaxValueValidator(7 * 86_400)],
        help_text="Seconds between test messages that prove the way is open. Empty: none.",
    )
    along_with = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="companions",
        help_text="Is told whatever that receiver is told: another way to reach the same people.",
    )
    next_canary_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="receiver_name_once")]

    def __str__(self) -> str:
        return self.name


class OutboxMessage(TenantModel):
    """A notification that is owed. Committed with the decision that caused it."""

    class Status(models.TextChoices):
        """Where a message is. It ends delivered, dead or cancelled."""

        DUE = "due"
        DELIVERED = "delivered"
        DEAD = "dead"
        CANCELLED = "cancelled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    receiver = models.ForeignKey(Receiver, on_delete=models.CASCADE, related_name="messages")
    group = models.ForeignKey(
        "rules.AggregationGroup", null=True, on_delete=models.SET_NULL, related_name="messages"
    )
    group_key = models.TextField(blank=True)
    group_labels = models.JSONField(default=dict)
    generation = models.PositiveIntegerField(default=1)
    reason = models.CharField(
        max_length=40, default="new_alerts", help_text="Why it is sent: new_alerts, repeat, escalation, …"
    )
    idempotency_key = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DUE)
    cause = models.CharField(max_length=300, blank=True, help_text="Why it is dead or cancelled.")
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True)
    receipt = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "idempotency_key"], name="outbox_idempotency_key_once"),
            models.CheckConstraint(
                condition=Q(status__in=["due", "delivered", "dead", "cancelled"]), name="outbox_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["dead", "cancelled"]) | ~Q(cause=""), name="outbox_end_has_a_cause"
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="outbox_due", condition=Q(status="due")),
            models.Index(
                fields=["receiver", "next_attempt_at"],
                name="outbox_due_of_receiver",
                condition=Q(status="due"),
            ),
            models.Index(fields=["tenant", "status", "-created_at"], name="outbox_by_status"),
            models.Index(fields=["created_at"], name="outbox_dead", condition=Q(status="dead")),
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key} ({self.status})"


class DeliveryAttempt(TenantModel):
    """One try to deliver one message. Stored before the message is sent, so that a lost worker leaves a
    trace.
    """

    message = models.ForeignKey(OutboxMessage, on_delete=models.CASCADE, related_name="history")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(
        null=True, help_text="Empty while under way, or when the worker was lost."
    )
    delivered = models.BooleanField(default=False)
    outcome = models.CharField(
        max_length=500, blank=True, help_text="Receipt or reason of failure; no secrets."
    )

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["message", "number"], name="attempt_number_once")]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.outcome}"
