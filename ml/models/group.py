"""Model groups: series of one selector that one detector watches, or one forecaster continues."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel

MAX_STEP_S = 300
"""A score must not be older than a rule looks back."""
HOUR_S = 3600


def default_horizons() -> list[int]:
    """An hour and a day."""
    return [HOUR_S, 24 * HOUR_S]


class ModelGroup(TenantModel):
    """What is scored or foretold, how and on which terms. Claimed when its tick is due, like shards."""

    class Kind(models.TextChoices):
        """What is written: `anomaly_score`, `forecast` or `incident_probability`, with what belongs to it."""

        ANOMALY = "anomaly"
        FORECAST = "forecast"
        INCIDENT = "incident"

    class Direction(models.TextChoices):
        """On which side of what was expected a value may be anomalous."""

        UP = "up"
        DOWN = "down"
        BOTH = "both"

    class State(models.TextChoices):
        """Where a group is; `state_reason` says why."""

        WARMING = "warming", "warming up: too little history"
        ACTIVE = "active"
        FALLBACK = "fallback", "scored by the robust detector"
        FAILED = "failed", "not scored"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        max_length=100,
        validators=[RegexValidator(r"\A[a-zA-Z0-9_.:-]+\Z")],
        help_text="The label model_group of its scores.",
    )
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.ANOMALY)
    selector = models.CharField(
        max_length=2000,
        blank=True,
        help_text="Which series, such as node_load1{job='node'}. Incidents have none: they are the alerts.",
    )
    detector = models.CharField(
        max_length=40, default="auto", help_text="The detector, or the forecaster of forecasts."
    )
    horizons_s = models.JSONField(
        default=default_horizons,
        blank=True,
        help_text="How far ahead forecasts reach: seconds, whole hours.",
    )
    threshold = models.FloatField(
        null=True, blank=True, help_text="Of forecasts: time_to_threshold_seconds says when it will be met."
    )
    host_label = models.CharField(
        max_length=100,
        blank=True,
        help_text="Of anomalies: the label that names a host, whose series are then judged together.",
    )
    service_label = models.CharField(
        max_length=100,
        blank=True,
        help_text="Of incidents: the label of alerts that names the service. Empty: the tenant as a whole.",
    )
    sensitivity = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(10)],
        help_text="Multiplies scores: 2 finds what is half as strange.",
    )
    direction = models.CharField(max_length=4, choices=Direction.choices, default=Direction.BOTH)
    min_deviation = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0)],
        help_text="In the unit of the metric: what is nearer to the expected value is not anomalous.",
    )
    season_s = models.PositiveIntegerField(
        default=86_400, validators=[MinValueValidator(60), MaxValueValidator(7 * 86_400)]
    )
    warm_up_s = models.PositiveIntegerField(
        default=7_200,
        validators=[MinValueValidator(60), MaxValueValidator(28 * 86_400)],
        help_text="History that a series must have before it is scored.",
    )
    step_s = models.PositiveSmallIntegerField(
        default=60, validators=[MinValueValidator(5), MaxValueValidator(MAX_STEP_S)]
    )
    retrain_interval_s = models.PositiveIntegerField(
        default=86_400, validators=[MinValueValidator(300), MaxValueValidator(28 * 86_400)]
    )
    enabled = models.BooleanField(default=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WARMING, editable=False)
    state_reason = models.CharField(max_length=500, blank=True, editable=False)
    training_error = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why the last training gave no model."
    )
    threshold_scale = models.FloatField(
        default=1.0, editable=False, help_text="Divides scores; feedback moves it, sensitivity is a person's."
    )
    threshold_reason = models.CharField(max_length=300, blank=True, editable=False)
    threshold_at = models.DateTimeField(
        null=True, editable=False, help_text="When it last moved; verdicts on time since then count."
    )
    next_due_at = models.DateTimeField(editable=False)
    next_drift_at = models.DateTimeField(null=True, editable=False, help_text="When drift is next looked for")
    next_train_at = models.DateTimeField(editable=False)
    leased_until = models.DateTimeField(editable=False)
    fencing_token = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="model_group_name_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["anomaly", "forecast", "incident"]), name="model_group_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(direction__in=["up", "down", "both"]), name="model_group_direction_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["warming", "active", "fallback", "failed"]),
                name="model_group_state_known",
            ),
        ]
        indexes = [
            models.Index(fields=["next_due_at"], name="model_group_due", condition=Q(enabled=True)),
            models.Index(fields=["next_train_at"], name="model_group_train_due", condition=Q(enabled=True)),
        ]

    def __str__(self) -> str:
        return self.name
