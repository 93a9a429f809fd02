"""The Django app `healing`."""

from __future__ import annotations

from django.apps import AppConfig


class HealingConfig(AppConfig):
    """Alerts in, verified repairs out."""

    name = "healing"

    def ready(self) -> None:
        """Reports tell of repairs."""
        from healing.services.digest import repairs_in  # noqa: PLC0415 (models must be loaded first)
        from rules.services.reportsources import SOURCES  # noqa: PLC0415

        SOURCES.repairs = repairs_in
