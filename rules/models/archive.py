"""Closed blocks of the hot store, kept for history, back-tests and training."""

from __future__ import annotations

from django.db import models

from alertsite.tenancy.managers import TenantModel


class SeriesBlock(TenantModel):
    """A tenant's samples of one time window, compressed. The codec is rules.series.backends.archive."""

    window_start_at = models.DateTimeField()
    window_end_at = models.DateTimeField()
    series_count = models.PositiveIntegerField()
    sample_count = models.PositiveBigIntegerField()
    payload = models.BinaryField()
    archived_at = models.DateTimeField()

    class Meta:
        ordering = ["window_start_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(window_end_at__gt=models.F("window_start_at")), name="block_window_ordered"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "window_start_at"], name="block_by_window")]

    def __str__(self) -> str:
        return f"{self.tenant_id} from {self.window_start_at:%FT%TZ}"
