"""The Django app `ml`."""

from __future__ import annotations

from django.apps import AppConfig


class MlConfig(AppConfig):
    """Series in, score series out."""

    name = "ml"
