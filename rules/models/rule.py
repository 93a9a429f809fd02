"""Rule groups, rules and their versions."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel

MIN_INTERVAL_S = 1
MAX_INTERVAL_S = 86_400


class RuleGroup(TenantModel):
    """Rules evaluated at the same times; those that read one another, in order."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=300)
    interval_s = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(MIN_INTERVAL_S), MaxValueValidator(MAX_INTERVAL_S)],
        help_text="Seconds between evaluations.",
    )
    query_offset_s = models.PositiveIntegerField(
        default=0, help_text="Evaluate this many seconds in the past, for metrics that arrive late."
    )
    alert_limit = models.PositiveIntegerField(default=0, help_text="Alerts a rule may have; 0 is no limit.")
    datasource = models.ForeignKey(
        "rules.Datasource",
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="groups",
        help_text="Who answers the queries of the rules; empty: our own store.",
    )
    shard = models.ForeignKey(
        "rules.Shard", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="groups"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="rule_group_name_once"),
            models.CheckConstraint(
                condition=Q(interval_s__gte=MIN_INTERVAL_S, interval_s__lte=MAX_INTERVAL_S),
                name="rule_group_interval_bounds",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Rule(TenantModel):
    """An alerting rule or a recording rule. Saved through `rules.services.authoring` alone."""

    class Kind(models.TextChoices):
        """What a rule's result becomes."""

        ALERTING = "alerting"
        RECORDING = "recording"

    class State(models.TextChoices):
        """Where a rule is in its life. Only active rules are evaluated."""

        DRAFT = "draft"
        ACTIVE = "active"
        PAUSED = "paused"
        ARCHIVED = "archived"

    class Severity(models.TextChoices):
        """How urgent an alert is."""

        CRITICAL = "critical"
        HIGH = "high"
        MEDIUM = "medium"
        LOW = "low"
        INFO = "info"

    class Policy(models.TextChoices):
        """What a rule without data, or with an error, does."""

        ALERTING = "alerting", "fire as if the condition held"
        NO_DATA = "no_data", "raise an alert named DatasourceNoData or DatasourceError"
        OK = "ok", "treat the condition as not holding"
        KEEP_STATE = "keep_state", "leave its alerts as they are"

    class Health(models.TextChoices):
        """How the last evaluation went."""

        UNKNOWN = "unknown"
        OK = "ok"
        ERROR = "error"
        NO_DATA = "no_data"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(RuleGroup, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField(default=0, help_text="Order within the group.")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.ALERTING)
    name = models.CharField(max_length=300, help_text="Alert name, or the metric a recording rule writes.")
    expr = models.TextField(help_text="PromQL. Filled from the condition where there is one.")
    datasource = models.ForeignKey(
        "rules.Datasource",
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="rules",
        help_text="Who answers the query; empty: whoever answers those of the group.",
    )
    condition = models.JSONField(null=True, blank=True, help_text="Structured form of the condition.")
    recovery_expr = models.TextField(
        blank=True, help_text="A firing alert stays firing while this holds (hysteresis)."
    )
    hold_for_s = models.PositiveIntegerField(
        "for", default=0, help_text="Seconds that the condition must hold before the alert fires."
    )
    keep_firing_for_s = models.PositiveIntegerField(
        "keep firing for", default=0, help_text="Seconds to keep firing after the condition ended."
    )
    severity = models.CharField(
        max_length=10,
        choices=Severity.choices,
        default=Severity.MEDIUM,
        blank=True,
        help_text="A label of its alerts, unless the labels name one; empty: no label.",
    )
    category = models.CharField(max_length=50, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    annotations = models.JSONField(default=dict, blank=True)
    no_data_policy = models.CharField(max_length=10, choices=Policy.choices, default=Policy.OK)
    error_policy = models.CharField(max_length=10, choices=Policy.choices, default=Policy.KEEP_STATE)
    alert_limit = models.PositiveIntegerField(default=0, help_text="0 takes the group's limit.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    version = models.PositiveIntegerField(default=0, editable=False)
    health = models.CharField(max_length=10, choices=Health.choices, default=Health.UNKNOWN, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    truncated = models.BooleanField(default=False, editable=False, help_text="Alerts were cut at the limit.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["group", "position"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["alerting", "recording"]), name="rule_kind_known"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "active", "paused", "archived"]), name="rule_state_known"
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["", "critical", "high", "medium", "low", "info"]),
                name="rule_severity_known",
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state"], name="rule_by_state")]

    def __str__(self) -> str:
        return self.name


class RuleVersion(TenantModel):
    """A rule as it was saved once. Never changed."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    author = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["rule", "version"], name="rule_version_once")]

    def __str__(self) -> str:
        return f"{self.rule} v{self.version}"
