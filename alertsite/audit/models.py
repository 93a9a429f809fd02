"""The audit chain: each event carries the digest of the one before it, so that none can be taken out
unseen.
"""

from __future__ import annotations

from django.db import models

from alertsite.tenancy.managers import TenantModel


class AuditEvent(TenantModel):
    """Somebody did something to something of a tenant."""

    sequence = models.PositiveBigIntegerField(help_text="1, 2, 3, … within the tenant.")
    at = models.DateTimeField()
    actor = models.CharField(max_length=200, help_text="A user name, `key:<name>` or `system:<task>`.")
    action = models.CharField(max_length=100, help_text="`rule.saved`, `receiver.deleted`, …")
    subject = models.CharField(max_length=200, help_text="`rule:<id>`, …")
    detail = models.JSONField(default=dict)
    previous_digest = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_event_sequence_once"),
        ]
        ordering = ["tenant", "sequence"]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.subject}"
