"""Cloud resources: what an account was last seen to hold."""

from __future__ import annotations

from django.db import models

from alertsite.tenancy.managers import TenantModel
from cloud.models.account import CloudAccount


class CloudResource(TenantModel):
    """One thing of the estate, as the last sync saw it. Written by `cloud.services.inventory` alone."""

    account = models.ForeignKey(CloudAccount, on_delete=models.CASCADE, related_name="resources")
    kind = models.CharField(max_length=30)
    uid = models.CharField(max_length=500, help_text="The provider's own name of it, unique in its place.")
    place = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=500)
    state = models.CharField(max_length=100)
    healthy = models.BooleanField(null=True, help_text="Empty: neither, such as stopped on purpose.")
    group = models.CharField(max_length=500, blank=True)
    labels = models.JSONField(default=dict)
    size = models.CharField(max_length=100, blank=True)
    cost_per_hour = models.FloatField(null=True, help_text="US dollars, by the account's own price list.")
    digest = models.BinaryField(max_length=16)
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="When it was first seen as it is now.")
    vanished_at = models.DateTimeField(null=True, help_text="When a sync first missed it.")

    class Meta:
        ordering = ["kind", "name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "kind", "place", "uid"], name="cloud_resource_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "kind", "name", "id"], name="cloud_resource_listed")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
