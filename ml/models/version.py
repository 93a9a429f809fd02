"""Versions of models: what was learned once, from which span, how good it was."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from ml.models.group import ModelGroup


class ModelVersion(TenantModel):
    """One learned model of all series of a group. Its artefact never changes; its status does."""

    class Status(models.TextChoices):
        """The champion scores. A challenger waits for a person; a retired one can be rolled back to."""

        CHALLENGER = "challenger"
        CHAMPION = "champion"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(ModelGroup, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey(
        "self",
        null=True,
        on_delete=models.SET_NULL,
        related_name="children",
        help_text="The champion when it was learned, whose scores said what to leave out.",
    )
    status = models.CharField(max_length=10, choices=Status.choices)
    detector = models.CharField(max_length=40)
    selector = models.CharField(max_length=2000)
    step_s = models.PositiveSmallIntegerField()
    series = models.JSONField(help_text="Label sets, in the order of the artefact.")
    artefact = models.BinaryField()
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the artefact.")
    trained_from = models.DateTimeField()
    trained_until = models.DateTimeField()
    excluded = models.JSONField(default=list, help_text="Spans left out: series, start and end, ms.")
    quality = models.JSONField(default=dict)
    columns = models.JSONField(default=list, help_text="Of hosts: label sets of their metrics, in order.")
    profile = models.JSONField(default=dict, help_text="Deciles of what was learned; drift is told by them")
    shadow = models.JSONField(
        default=dict, help_text="What it said as challenger: samples, agreement with the champion, flagged."
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["group", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["group", "number"], name="model_version_number_once"),
            models.UniqueConstraint(
                fields=["group"], condition=Q(status="champion"), name="model_version_one_champion"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["challenger", "champion", "retired"]),
                name="model_version_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group_id} version {self.number}"
