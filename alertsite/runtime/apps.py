"""The Django app that starts what the project needs in every process."""

from __future__ import annotations

from django.apps import AppConfig

from alertsite.settings.logs import configure_structlog


class RuntimeConfig(AppConfig):
    """Loads the Celery application, so that `shared_task` finds it, and joins structlog to logging."""

    name = "alertsite.runtime"
    label = "runtime"

    def ready(self) -> None:
        """Run after every app is loaded."""
        configure_structlog()
        # Here, not above: the Celery application reads settings and apps, which must be ready first.
        from alertsite.celery import app  # noqa: PLC0415

        app.set_default()
