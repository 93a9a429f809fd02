"""What people said about runs."""

from __future__ import annotations

import uuid

from django.db import models

from alertsite.tenancy.managers import TenantModel
from healing.models.run import HealingRun


class Approval(TenantModel):
    """A person's yes or no to one plan of one run. Spent once, when it lets the run go on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(HealingRun, on_delete=models.CASCADE, related_name="approvals")
    subject = models.CharField(max_length=100, blank=True, help_text="Key of a step; empty: the plan.")
    plan_hash = models.CharField(max_length=64)
    person = models.CharField(max_length=200)
    approves = models.BooleanField()
    comment = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "subject", "plan_hash", "person"], name="approval_once_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {'yes' if self.approves else 'no'}"
