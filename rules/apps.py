"""The Django app of rules, alerts and notifications."""

from __future__ import annotations

from django.apps import AppConfig


class RulesConfig(AppConfig):
    """Registers the app."""

    name = "rules"
    label = "rules"
