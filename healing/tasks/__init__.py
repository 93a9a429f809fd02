"""Tasks of healing."""

from healing.tasks.healing import advance_runs, expire_runs, start_scheduled, wake_healing

__all__ = ["advance_runs", "expire_runs", "start_scheduled", "wake_healing"]
