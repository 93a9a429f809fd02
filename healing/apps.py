"""The Django app `healing`."""

from __future__ import annotations

from django.apps import AppConfig


class HealingConfig(AppConfig):
    """Alerts in, verified repairs out."""

    name = "healing"
