"""How a tenant's alerts find people: the routing tree, time intervals, inhibition."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from rules.models.delivery import Receiver

MAX_WAIT_S = 30 * 86_400


class NotificationSettings(TenantModel):
    """What holds for all of a tenant's notifications. One row a tenant, made when it is first needed."""

    revision = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Counts changes of routing, so that workers may keep the tree."
    )
    applied_revision = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Up to which alerts that fire were routed anew."
    )
    resolve_timeout_s = models.PositiveIntegerField(
        default=300,
        validators=[MinValueValidator(1), MaxValueValidator(86_400)],
        help_text="An alert sent from outside without an end is over after this long without a word.",
    )
    damp_flapping = models.BooleanField(
        default=False, help_text="Alerts that flap are told once until they are steady."
    )
    flapping_window_s = models.PositiveIntegerField(
        default=3600, validators=[MinValueValidator(60), MaxValueValidator(7 * 86_400)]
    )
    flapping_changes = models.PositiveIntegerField(
        default=6,
        validators=[MinValueValidator(3), MaxValueValidator(100)],
        help_text="State changes in the window from which an alert flaps.",
    )
    incident_window_s = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(30), MaxValueValidator(86_400)],
        help_text="Alerts that begin so close together may be one incident.",
    )
    incident_labels = models.JSONField(
        default=list, blank=True, help_text="Alerts that share the values of these labels are related."
    )
    topology = models.JSONField(
        default=list,
        blank=True,
        help_text='Edges such as ["service=api", "service=db"]: the first needs the second.',
    )

    heals: bool = True
    """Whether alerts may start playbooks, as `settings_of` found it; no column."""

    class Meta:
        verbose_name_plural = "notification settings"
        constraints = [models.UniqueConstraint(fields=["tenant"], name="notification_settings_once")]

    def __str__(self) -> str:
        return f"notification settings, revision {self.revision}"


class EscalationPolicy(TenantModel):
    """Timed steps until somebody acknowledges: whom to tell after how long."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    steps = models.JSONField(help_text="In order: what each step does and how long after the one before.")
    repeat_count = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(20)],
        help_text="How often to begin again after the last step.",
    )
    repeat_delay_s = models.PositiveIntegerField(
        default=300,
        validators=[MaxValueValidator(86_400)],
        help_text="Pause after the last step, before it begins again or hands over.",
    )
    hand_over_to = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The policy that goes on when this one has come to its end.",
    )

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "escalation policies"
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="escalation_policy_name_once")]

    def __str__(self) -> str:
        return self.name


class Route(TenantModel):
    """A node of the routing tree. What is empty is inherited; the root has no parent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    position = models.PositiveIntegerField(default=0, help_text="Order among its siblings.")
    matchers = models.JSONField(default=list, blank=True, help_text='Such as ["severity=\\"critical\\""].')
    receiver = models.ForeignKey(
        Receiver, null=True, blank=True, on_delete=models.PROTECT, related_name="routes"
    )
    group_by = models.JSONField(null=True, blank=True, help_text='Label names; ["..."] groups by all labels.')
    group_wait_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(MAX_WAIT_S)]
    )
    group_interval_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_WAIT_S)]
    )
    repeat_interval_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_WAIT_S)]
    )
    continues = models.BooleanField("continue", default=False, help_text="Also try the siblings after it.")
    mute_time_intervals = models.JSONField(default=list, blank=True, help_text="Names of time intervals.")
    active_time_intervals = models.JSONField(default=list, blank=True, help_text="Names of time intervals.")
    escalation_policy = models.ForeignKey(
        EscalationPolicy, null=True, blank=True, on_delete=models.SET_NULL, related_name="routes"
    )

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(parent=None), name="route_one_root_a_tenant"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=False) | Q(receiver__isnull=False),
                name="route_root_has_a_receiver",
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(self.matchers) or ("root" if self.parent_id is None else "everything")


class MuteTimeInterval(TenantModel):
    """A named set of times, for routes that are muted or active by the clock."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    intervals = models.JSONField(help_text="As Alertmanager's `time_intervals`: times, weekdays, location, …")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="time_interval_name_once")]

    def __str__(self) -> str:
        return self.name


class InhibitionRule(TenantModel):
    """While an alert that matches the source fires, those that match the target are not told."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, blank=True)
    source_matchers = models.JSONField()
    target_matchers = models.JSONField()
    equal = models.JSONField(default=list, blank=True, help_text="Labels that must be the same in both.")
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.name or f"{', '.join(self.source_matchers)} over {', '.join(self.target_matchers)}"


class Silence(TenantModel):
    """Alerts that match are not told while it is active. Never deleted: it ends."""

    class Kind(models.TextChoices):
        """Why there is silence."""

        SILENCE = "silence"
        MAINTENANCE = "maintenance", "maintenance window"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.SILENCE)
    matchers = models.JSONField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="Of the whole silence, recurrences included.")
    recurrence = models.CharField(
        max_length=500, blank=True, help_text="RFC 5545 rule, such as FREQ=WEEKLY;BYDAY=SA. Empty: once."
    )
    duration_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="Of each recurrence."
    )
    timezone = models.CharField(max_length=60, default="UTC", help_text="In which the recurrence is read.")
    author = models.CharField(max_length=200, help_text="From the credential.")
    comment = models.TextField(max_length=5000, help_text="Why.")
    ticket = models.CharField(max_length=300, blank=True)
    needs_approval = models.BooleanField(default=False, help_text="Silences nothing until it is approved.")
    approved_by = models.CharField(max_length=200, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gte=models.F("starts_at")), name="silence_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(recurrence="") | Q(duration_s__isnull=False), name="silence_recurs_for_a_duration"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "ends_at"], name="silence_by_end")]

    def __str__(self) -> str:
        return ", ".join(self.matchers)
