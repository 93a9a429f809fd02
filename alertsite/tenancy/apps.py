"""The Django app of tenants."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Registers the app under its short label and keeps every new connection inside its scope."""

    name = "alertsite.tenancy"
    label = "tenancy"
    verbose_name = "Tenancy"

    def ready(self) -> None:
        """Run after every app is loaded."""
        # Here, not above: the scope reads the database connection, which settings configure.
        from alertsite.tenancy.scope import apply_to_new_connections  # noqa: PLC0415

        apply_to_new_connections()
