"""Tasks of healing."""

from healing.tasks.automation import automate, maintain, request_maintenance, wake_automations
from healing.tasks.healing import advance_runs, expire_runs, start_scheduled, wake_healing

__all__ = [
    "advance_runs",
    "automate",
    "expire_runs",
    "maintain",
    "request_maintenance",
    "start_scheduled",
    "wake_automations",
    "wake_healing",
]
