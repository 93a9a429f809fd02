"""Cloud accounts: whose infrastructure may be seen and repaired, and with which credentials."""

from __future__ import annotations

import uuid

from django.db import models

from alertsite.tenancy.managers import TenantModel
from alertsite.web.encryption import EncryptedJSONField


class CloudAccount(TenantModel):
    """An account with a provider. What `settings` and `credentials` hold depends on the provider: see
    cloud/adapters. Saved through `cloud.services.accounts` alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    provider = models.CharField(max_length=30)
    settings = models.JSONField(default=dict, blank=True)
    credentials = EncryptedJSONField(
        default=dict, blank=True, help_text="Encrypted at rest, never shown again."
    )
    enabled = models.BooleanField(default=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    identity = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Who the provider said we are, when last asked."
    )
    synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_sync_at = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="In a row.")
    fault = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why the last check or sync failed."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="cloud_account_name_once")]
        indexes = [
            models.Index(fields=["next_sync_at"], name="cloud_account_due", condition=models.Q(enabled=True)),
        ]

    def __str__(self) -> str:
        return self.name
