"""The Django app of the audit chain."""

from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Registers the app under its short label."""

    name = "alertsite.audit"
    label = "audit"
