"""The Django app of what faces share."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Registers the app under its short label."""

    name = "alertsite.web"
    label = "web"
