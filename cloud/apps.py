"""The Django app `cloud`."""

from __future__ import annotations

from django.apps import AppConfig


class CloudConfig(AppConfig):
    """One vocabulary over many clouds."""

    name = "cloud"
