"""Shards, and the ledger in which each due tick has a recorded outcome."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from alertsite.tenancy.managers import TenantModel


class Shard(TenantModel):
    """A slice of a tenant's rule groups with one interval: the unit that is claimed and evaluated.

    A claim raises `fencing_token` and sets `leased_until`; only the holder of the newest token may commit.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    interval_s = models.PositiveIntegerField()
    slot = models.PositiveIntegerField(help_text="Which of the tenant's slices with this interval.")
    phase_ms = models.PositiveIntegerField(
        help_text="Ticks fall on multiples of the interval plus this: shards do not wake together."
    )
    content_version = models.PositiveBigIntegerField(
        default=1, help_text="Raised when a rule in it changes; plans are cached by it."
    )
    rule_count = models.PositiveIntegerField(default=0)
    next_due_at = models.DateTimeField()
    leased_until = models.DateTimeField()
    fencing_token = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "interval_s", "slot"], name="shard_slot_once"),
            models.CheckConstraint(
                condition=Q(phase_ms__lt=F("interval_s") * 1000), name="shard_phase_within_interval"
            ),
        ]
        indexes = [
            models.Index(fields=["next_due_at"], name="shard_due", condition=Q(rule_count__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id}/{self.interval_s}s/{self.slot}"


class ShardLayout(TenantModel):
    """Which rules, at which version, stood at which position of a shard: the key to packed outcomes."""

    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="layouts")
    content_version = models.PositiveBigIntegerField()
    rule_ids = ArrayField(models.UUIDField())
    rule_versions = ArrayField(models.PositiveIntegerField())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shard", "content_version"], name="shard_layout_once"),
        ]

    def __str__(self) -> str:
        return f"{self.shard_id} content {self.content_version}"


class LedgerEntry(TenantModel):
    """What became of one tick of one shard."""

    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="ledger")
    due_at = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    data_as_of = models.DateTimeField(help_text="The time the rules were evaluated for.")
    layout = models.ForeignKey(ShardLayout, null=True, on_delete=models.PROTECT, related_name="+")
    fencing_token = models.PositiveBigIntegerField()
    outcomes = models.BinaryField(help_text="A byte a rule: see rules.evaluation.outcomes.")
    caught_up = models.BooleanField(default=False, help_text="Evaluated after its time had passed.")
    skipped_reason = models.CharField(max_length=100, blank=True, help_text="Why the tick was not evaluated.")
    errors = models.JSONField(default=dict, help_text="Rule id to what went wrong, for rules in error.")
    transition_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["shard", "due_at"], name="ledger_tick_once")]
        indexes = [models.Index(fields=["due_at"], name="ledger_by_time")]

    def __str__(self) -> str:
        return f"{self.shard_id} at {self.due_at:%FT%TZ}"


class Wake(models.Model):
    """When each kind of waking last happened: a worker takes over when it is too long ago. One row a kind."""

    kind = models.CharField(max_length=30, primary_key=True)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} at {self.last_at:%FT%TZ}"


class Size(models.Model):
    """A size that was set while the platform ran; without a row, the one in the code holds."""

    name = models.CharField(max_length=30, primary_key=True)
    value = models.PositiveIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(value__gte=1), name="size_positive")]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"
