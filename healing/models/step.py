"""Steps of runs, and every exchange with a provider."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from alertsite.tenancy.managers import TenantModel
from healing.models.run import HealingRun


class HealingStep(TenantModel):
    """One step of a run. Stored as `calling` before the provider is asked, with what it may touch
    reserved.
    """

    class State(models.TextChoices):
        """Where a step is: see `healing.execution.states`."""

        PENDING = "pending"
        CALLING = "calling", "being asked for"
        ACCEPTED = "accepted", "under way"
        DONE = "done"
        SKIPPED = "skipped"
        FAILED = "failed"
        UNCERTAIN = "uncertain"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(HealingRun, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=100, help_text="Such as 2#0.1; `undo:2` takes step 2 back.")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    reason = models.CharField(max_length=500, blank=True)
    word = models.CharField(max_length=40, blank=True, help_text="Of an action.")
    account = models.CharField(max_length=200, blank=True)
    inputs = models.JSONField(default=dict, help_text="Filled.")
    call_key = models.CharField(max_length=36, blank=True, help_text="The same for every try.")
    tries = models.PositiveIntegerField(default=0)
    polls = models.PositiveIntegerField(default=0)
    doubtful = models.BooleanField(default=False, help_text="A call may have been accepted.")
    change = models.TextField(blank=True, help_text="What is done, in words.")
    before = models.JSONField(default=dict)
    receipt = models.JSONField(null=True)
    request_id = models.CharField(max_length=200, blank=True)
    result = models.JSONField(default=dict, help_text="What later steps may read.")
    resources = models.JSONField(default=list)
    resource_class = models.CharField(max_length=20, blank=True)
    resource_group = models.CharField(max_length=600, blank=True)
    group_size = models.PositiveIntegerField(null=True)
    reserved = models.PositiveIntegerField(default=0, help_text="Resources that count against limits.")
    reserved_at = models.DateTimeField(null=True)
    granted = models.PositiveSmallIntegerField(default=0, help_text="People who said yes to this step alone.")
    cost_per_hour = models.FloatField(null=True)
    started_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "key"], name="healing_step_once"),
            models.CheckConstraint(
                condition=~Q(state="calling") | (Q(reserved_at__isnull=False) & ~Q(call_key="")),
                name="healing_call_is_reserved",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "reserved_at"],
                name="healing_step_reserved",
                condition=Q(reserved_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.word or self.kind}: {self.state}"


class HealingCall(TenantModel):
    """One exchange with a provider, secrets masked. Never changed."""

    step = models.ForeignKey(HealingStep, on_delete=models.CASCADE, related_name="calls")
    phase = models.CharField(max_length=10, help_text="look, act, happened or progress.")
    at = models.DateTimeField()
    request = models.CharField(max_length=500)
    sent = models.JSONField(default=dict)
    status = models.CharField(max_length=200)
    answered = models.JSONField(default=dict)
    seconds = models.FloatField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.request}: {self.status}"
