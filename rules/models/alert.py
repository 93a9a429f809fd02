"""Alerts that are active now, and the history of every change of state."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel, tenant_without_index
from rules.models.rule import Rule


class Origin(models.TextChoices):
    """Where an alert comes from. All share one state machine and one history."""

    RULE = "rule"
    FOREIGN = "foreign", "another system"
    HEARTBEAT = "heartbeat"
    PLATFORM = "platform", "the platform itself"


class AlertInstance(TenantModel):
    """One active alert: a rule and a label set for which it holds. Gone once resolved; history remains."""

    tenant = tenant_without_index()

    class State(models.TextChoices):
        """States an active alert can be in. Inactive alerts have no row."""

        PENDING = "pending"
        FIRING = "firing"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.RULE)
    rule = models.ForeignKey(
        Rule,
        null=True,
        on_delete=models.CASCADE,
        related_name="alerts",
        db_index=False,  # `alert_instance_once` begins with it
        help_text="Empty for other origins.",
    )
    series_fingerprint = models.BigIntegerField(
        help_text="Identity between ticks: of the result's labels, without the rule's; of all without a rule."
    )
    labels = models.JSONField()
    annotations = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices)
    value = models.FloatField(null=True, help_text="When the state last changed.")
    active_since = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    keep_firing_since = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(
        null=True, help_text="When an alert of another system is over unless renewed."
    )
    source_url = models.URLField(max_length=2000, blank=True, help_text="Where its sender shows it.")
    acknowledged_by = models.CharField(max_length=200, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    assignee = models.CharField(max_length=200, blank=True)
    snoozed_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(
        null=True, help_text="Resolved by hand: over for people, though its condition may still hold."
    )
    flapping = models.BooleanField(default=False)
    correlated = models.BooleanField(
        default=False,
        db_default=False,  # for workers of the release before
        help_text="Its place in an incident was looked for.",
    )
    damped = models.BooleanField(default=False, help_text="Told once, then not again until it is steady.")

    class Meta:
        ordering = ["-active_since", "id"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "series_fingerprint"], name="alert_instance_once"),
            models.UniqueConstraint(
                fields=["series_fingerprint", "tenant"],  # found by series alone: see `rules.services.intake`
                condition=Q(rule=None),
                name="alert_without_rule_once",
            ),
            models.CheckConstraint(condition=Q(state__in=["pending", "firing"]), name="alert_state_known"),
            models.CheckConstraint(
                condition=Q(state="pending", fired_at=None) | Q(state="firing", fired_at__isnull=False),
                name="alert_fired_when_firing",
            ),
        ]
        # None of the labels: what is not leakproof may not come before row security, so it would go unused.
        indexes = [
            models.Index(fields=["tenant", "-active_since", "id"], name="alert_newest"),
            models.Index(fields=["expires_at"], name="alert_expiry", condition=Q(expires_at__isnull=False)),
            models.Index(
                fields=["fired_at", "id"],
                name="alert_to_correlate",
                condition=Q(fired_at__isnull=False, correlated=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.labels.get("alertname", self.pk))


class AlertTransition(TenantModel):
    """One change of state of one alert, with the reason. Never changed."""

    tenant = tenant_without_index()

    class State(models.TextChoices):
        """All states of an alert."""

        INACTIVE = "inactive"
        PENDING = "pending"
        FIRING = "firing"
        RESOLVED = "resolved"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    alert_id = models.UUIDField(help_text="The instance; its row is gone once the alert is resolved.")
    rule = models.ForeignKey(
        Rule,
        null=True,
        on_delete=models.SET_NULL,
        related_name="transitions",
        help_text="Empty once deleted, and for other origins.",
    )
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.RULE)
    rule_version = models.PositiveIntegerField()
    previous = models.CharField(max_length=10, choices=State.choices)
    state = models.CharField(max_length=10, choices=State.choices)
    at = models.DateTimeField(help_text="The tick at which it happened.")
    fired_at = models.DateTimeField(null=True, help_text="When the alert began to fire, if it has.")
    fingerprint = models.BigIntegerField(
        null=True, help_text="Of the labels: the same for every life of an alert."
    )
    labels = models.JSONField()
    annotations = models.JSONField(default=dict)
    value = models.FloatField(null=True, help_text="None when nothing held any more.")
    trace = models.JSONField(help_text="Why: expression, value, tick, lateness, reason.")

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["inactive", "pending", "firing", "resolved"]),
                name="transition_state_known",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-at", "id"], name="transition_newest"),
            models.Index(fields=["alert_id", "at"], name="transition_by_alert"),
            models.Index(fields=["fingerprint", "at"], name="transition_by_series"),
        ]

    def __str__(self) -> str:
        return f"{self.previous} to {self.state}"
