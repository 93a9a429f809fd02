"""The worker's sign of life: a boot step that renews the file `settings.HEARTBEAT_FILE`."""

from __future__ import annotations

from typing import Any

from celery import bootsteps
from django.conf import settings

from alertsite.runtime.heartbeat import INTERVAL_S, touch


class HeartbeatStep(bootsteps.StartStopStep):
    """Touches the heartbeat file from the worker's own timer."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer_entry: Any = None

    def start(self, parent: Any) -> None:
        """Begin to touch the file, if one is named."""
        path = settings.HEARTBEAT_FILE
        if path:
            self._timer_entry = parent.timer.call_repeatedly(INTERVAL_S, touch, (path,))

    def stop(self, parent: Any) -> None:  # noqa: ARG002 (the interface of a boot step)
        """Stop touching the file."""
        if self._timer_entry is not None:
            self._timer_entry.cancel()
            self._timer_entry = None
