"""What happens to models between trainings: drift that was seen, and training that was interrupted."""

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
