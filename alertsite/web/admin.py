"""What the admin pages share, and the audit chain's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from alertsite.audit.models import AuditEvent


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows that the platform writes and people only read."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody adds."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Nobody deletes."""
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """The chain, the newest first."""

    list_display = ["at", "tenant", "actor", "action", "subject"]
    list_filter = ["tenant", "action"]
    search_fields = ["actor", "subject"]
    ordering = ["-at"]
