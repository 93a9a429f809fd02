"""Who works here: people, tenants, memberships, API keys, and what a tenant may use."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from alertsite.tenancy.managers import TenantModel


class User(AbstractUser):
    """A person. A superuser has platform scope: may act for every tenant."""


class Tenant(models.Model):
    """A customer or team whose metrics, rules and alerts nobody else sees."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        max_length=63,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "lower-case letters, digits and dashes")
        ],
    )
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Quota(models.Model):
    """What a tenant may use. One row a tenant, made with it."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="quota", primary_key=True)
    max_series = models.PositiveIntegerField(default=1_000_000, help_text="Distinct series in the hot store.")
    max_rules = models.PositiveIntegerField(default=200_000)
    max_samples_per_query = models.PositiveBigIntegerField(default=50_000_000)
    lateness_s = models.PositiveIntegerField(
        default=7200,
        validators=[MinValueValidator(0), MaxValueValidator(31 * 86_400)],
        help_text="Samples up to this old are accepted, in any order.",
    )
    hot_retention_s = models.PositiveIntegerField(
        default=6 * 3600,
        validators=[MinValueValidator(3600), MaxValueValidator(40 * 86_400)],
        help_text="How long samples stay in the hot store before only the archive has them.",
    )
    archive_retention_days = models.PositiveIntegerField(default=90)
    report_retention_days = models.PositiveIntegerField(
        default=400, validators=[MinValueValidator(1)], help_text="How long reports are kept for download."
    )
    max_catch_up_ticks = models.PositiveIntegerField(
        default=120,
        help_text="Missed ticks of one shard that are caught up; older ones are recorded as skipped.",
    )

    def __str__(self) -> str:
        return f"quota of {self.tenant_id}"


class Membership(TenantModel):
    """A person's part in a tenant."""

    class Role(models.TextChoices):
        """What a member may do."""

        OWNER = "owner"
        MEMBER = "member"
        VIEWER = "viewer"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=["owner", "member", "viewer"]), name="membership_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


class ApiKey(models.Model):
    """A credential for machines. Only a digest is stored; the key is shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="api_keys",
        help_text="Empty: platform scope, may act for any tenant it names.",
    )
    name = models.CharField(max_length=200)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=10), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=["read", "write", "ingest"]),
                name="api_key_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name
