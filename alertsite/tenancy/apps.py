"""The Django app of tenants."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Registers the app under its short label."""

    name = "alertsite.tenancy"
    label = "tenancy"
    verbose_name = "Tenancy"
