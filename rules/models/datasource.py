"""Datasources: Prometheus-compatible servers that answer the queries of a tenant's rules."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from alertsite.web.encryption import EncryptedJSONField

MAX_TIMEOUT_S = 8


class Datasource(TenantModel):
    """Where rules may have their queries answered. Saved through `rules.services.datasources` alone."""

    class Auth(models.TextChoices):
        """How requests prove who asks."""

        NONE = "none"
        BASIC = "basic", "user and password"
        BEARER = "bearer", "bearer token"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    url = models.CharField(max_length=2000, help_text="What comes before /api/v1/query.")
    auth = models.CharField(max_length=10, choices=Auth.choices, default=Auth.NONE)
    secrets = EncryptedJSONField(
        default=dict,
        blank=True,
        help_text="user and password, or token. Encrypted at rest, never shown again.",
    )
    headers = models.JSONField(default=dict, blank=True, help_text="Sent as they are, such as X-Scope-OrgID.")
    timeout_s = models.PositiveSmallIntegerField(
        default=5, validators=[MinValueValidator(1), MaxValueValidator(MAX_TIMEOUT_S)]
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="datasource_name_once"),
            models.CheckConstraint(
                condition=Q(auth__in=["none", "basic", "bearer"]), name="datasource_auth_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
