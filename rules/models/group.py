"""Groups of alerts on their way to a receiver: what is in them, what was told, when they are due."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from rules.models.alert import AlertTransition
from rules.models.delivery import OutboxMessage, Receiver
from rules.models.routing import EscalationPolicy, Route


class AggregationGroup(TenantModel):
    """Alerts told together to one receiver. Claimed when its flush is due, like shards and messages."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key = models.CharField(max_length=64, help_text="Digest of route, receiver and group labels.")
    route = models.ForeignKey(
        Route,
        null=True,
        on_delete=models.SET_NULL,
        related_name="groups",
        help_text="Empty without a routing tree, or once deleted.",
    )
    receiver = models.ForeignKey(Receiver, on_delete=models.CASCADE, related_name="groups")
    orphaned = models.BooleanField(
        default=False, help_text="No route leads here any more: what was told is told its end, no more."
    )
    labels = models.JSONField(default=dict)
    group_key = models.TextField(help_text="As receivers see it, in Alertmanager's notation.")
    anchor_at = models.DateTimeField(
        null=True,
        help_text="Its first flush since it was last empty; later ones follow at the group interval.",
    )
    group_interval_s = models.PositiveIntegerField()
    next_flush_at = models.DateTimeField(null=True, help_text="Empty while nothing can become due.")
    last_notified_at = models.DateTimeField(null=True)
    generation = models.PositiveIntegerField(default=0, help_text="Notifications so far.")
    last_reason = models.CharField(max_length=40, blank=True, help_text="What the last flush decided.")
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="aggregation_group_key_once")]
        indexes = [
            models.Index(
                fields=["next_flush_at"],
                name="aggregation_group_due",
                condition=Q(next_flush_at__isnull=False),
            ),
            models.Index(
                fields=["tenant", "next_flush_at"],
                name="group_due_of_tenant",
                condition=Q(next_flush_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.group_key


class GroupedAlert(TenantModel):
    """An alert in a group. Gone once its end was told, or need not be."""

    group = models.ForeignKey(
        AggregationGroup,
        on_delete=models.CASCADE,
        related_name="members",
        db_index=False,  # `grouped_alert_once` begins with it
    )
    fingerprint = models.BigIntegerField(help_text="Of the alert's labels.")
    alert_id = models.UUIDField()
    transition = models.ForeignKey(AlertTransition, on_delete=models.CASCADE, related_name="+")
    firing = models.BooleanField()
    starts_at = models.DateTimeField(help_text="When it began to fire.")
    sent = models.CharField(
        max_length=8, blank=True, help_text="What was told of it last: firing, resolved, or nothing yet."
    )
    verdict = models.CharField(max_length=30, blank=True, help_text="Of the last flush: told, or why not.")
    detail = models.CharField(max_length=300, blank=True, help_text="Which silence, interval or alert.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["group", "fingerprint"], name="grouped_alert_once")]
        indexes = [models.Index(fields=["alert_id"], name="grouped_alert_by_alert")]

    def __str__(self) -> str:
        return f"{self.alert_id} ({self.verdict or 'new'})"


class ToldAlert(TenantModel):
    """That a message tells of a change of an alert."""

    message = models.ForeignKey(
        OutboxMessage,
        on_delete=models.CASCADE,
        related_name="told",
        db_index=False,  # `told_once_a_message` begins with it
    )
    transition = models.ForeignKey(AlertTransition, on_delete=models.CASCADE, related_name="told")
    alert_id = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "transition"], name="told_once_a_message")]
        indexes = [models.Index(fields=["alert_id"], name="told_by_alert")]

    def __str__(self) -> str:
        return f"{self.alert_id} in {self.message_id}"


class Suppression(TenantModel):
    """That a flush did not tell of an alert, and why. Written when the reason changes, never changed."""

    alert_id = models.UUIDField()
    group = models.ForeignKey(AggregationGroup, null=True, on_delete=models.SET_NULL, related_name="+")
    receiver_name = models.CharField(max_length=200)
    at = models.DateTimeField()
    reason = models.CharField(max_length=30)
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["at", "id"]
        indexes = [models.Index(fields=["alert_id", "at"], name="suppression_by_alert")]

    def __str__(self) -> str:
        return f"{self.alert_id}: {self.reason}"


class Escalation(TenantModel):
    """A policy at work on a group, until somebody acknowledges or all is over. Due like everything else."""

    class Status(models.TextChoices):
        """Where it is."""

        RUNNING = "running"
        ACKNOWLEDGED = "acknowledged"
        RESOLVED = "resolved"
        EXHAUSTED = "exhausted"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(AggregationGroup, on_delete=models.CASCADE, related_name="escalations")
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="escalations")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING)
    step = models.PositiveIntegerField(default=0, help_text="The step that is next.")
    round = models.PositiveIntegerField(default=0, help_text="How often it began again.")
    hand_overs = models.PositiveIntegerField(default=0, help_text="Policies it went through before this one.")
    started_at = models.DateTimeField()
    next_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-started_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["group"], condition=Q(status="running"), name="escalation_one_runs_a_group"
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(next_at__isnull=False), name="escalation_running_is_due"
            ),
        ]
        indexes = [models.Index(fields=["next_at"], name="escalation_due", condition=Q(status="running"))]

    def __str__(self) -> str:
        return f"{self.policy} at step {self.step} ({self.status})"


class EscalationStep(TenantModel):
    """One step that an escalation took: whom it told. Never changed."""

    escalation = models.ForeignKey(Escalation, on_delete=models.CASCADE, related_name="taken")
    at = models.DateTimeField()
    round = models.PositiveIntegerField()
    step = models.PositiveIntegerField()
    told = models.CharField(max_length=300, help_text="In words: the person, team, schedule or receiver.")
    message = models.ForeignKey(OutboxMessage, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"step {self.step}: {self.told}"
