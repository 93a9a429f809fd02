"""What happens between trainings: anomalies and drift that were seen, training that was interrupted."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from ml.models.group import ModelGroup
from ml.models.version import ModelVersion


class DriftEvent(TenantModel):
    """That series, or their scores, are no longer distributed as when the champion learned. Never changed."""

    class Subject(models.TextChoices):
        """What drifted."""

        VALUES = "values"
        SCORES = "scores"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(ModelGroup, on_delete=models.CASCADE, related_name="drifts")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="drifts")
    subject = models.CharField(max_length=6, choices=Subject.choices)
    psi = models.FloatField(help_text="Population stability index; the median over series for values.")
    bound = models.FloatField()
    training_asked = models.BooleanField(help_text="False where the champion was too young to learn again.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(subject__in=["values", "scores"]), name="drift_event_subject_known"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "-at"], name="drift_event_newest")]

    def __str__(self) -> str:
        return f"{self.subject} drifted: {self.psi:.2f}"


class SeenAnomaly(TenantModel):
    """The last anomaly of a series: from when to when it was above 1, and why, at its strangest moment.

    What an alert says of its score is copied from here.
    """

    group = models.ForeignKey(ModelGroup, on_delete=models.CASCADE, related_name="anomalies")
    fingerprint = models.BigIntegerField(help_text="Of the labels.")
    labels = models.JSONField(help_text="Of the series of the score, without its name.")
    started_at = models.DateTimeField()
    at = models.DateTimeField(help_text="The tick that is explained.")
    last_at = models.DateTimeField(help_text="The last tick that was anomalous.")
    score = models.FloatField()
    value = models.FloatField(null=True)
    expected = models.FloatField(null=True)
    lower = models.FloatField(null=True)
    upper = models.FloatField(null=True)
    reasons = models.JSONField(default=list)
    detector = models.CharField(max_length=40)
    version = models.ForeignKey(
        ModelVersion,
        null=True,
        on_delete=models.SET_NULL,
        related_name="anomalies",
        help_text="Empty where the robust detector scored.",
    )

    class Meta:
        ordering = ["-last_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["group", "fingerprint"], name="seen_anomaly_once"),
        ]
        indexes = [models.Index(fields=["tenant", "-last_at"], name="seen_anomaly_newest")]

    def __str__(self) -> str:
        return f"{self.labels} scored {self.score:.2f}"


class TrainingCheckpoint(TenantModel):
    """How far the training of a group has come; gone when it has ended."""

    group = models.OneToOneField(ModelGroup, on_delete=models.CASCADE, related_name="checkpoint")
    until_ms = models.BigIntegerField(help_text="The last row that is learned from.")
    detector = models.CharField(max_length=40)
    step = models.PositiveIntegerField()
    data = models.BinaryField(help_text="Weights and the optimiser's state, as safetensors with a checksum.")
    saved_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.group_id} at step {self.step}"
