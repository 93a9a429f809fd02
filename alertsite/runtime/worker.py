"""What workers do beside their tasks: show a sign of life, and wake in beat's place when it is silent."""

from __future__ import annotations

from typing import Any, Final

from celery import bootsteps
from django.conf import settings

from alertsite.runtime.heartbeat import INTERVAL_S, touch

TAKEOVER_EVERY_S: Final = 5.0
TAKEOVER_TASK: Final = "rules.tasks.evaluating.wake_if_silent"


class TakeoverStep(bootsteps.StartStopStep):
    """Lets a worker of the queue `evaluate` ask every few seconds whether beat is silent.

    It only sends a small task: the answer is in PostgreSQL, which the worker's main process does not talk to.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer_entry: Any = None

    def start(self, parent: Any) -> None:
        """Begin to ask, if the worker evaluates."""
        if "evaluate" in parent.app.amqp.queues.consume_from:
            send = parent.app.tasks[TAKEOVER_TASK].apply_async
            self._timer_entry = parent.timer.call_repeatedly(TAKEOVER_EVERY_S, send)

    def stop(self, parent: Any) -> None:  # noqa: ARG002 (the interface of a boot step)
        """Stop asking."""
        if self._timer_entry is not None:
            self._timer_entry.cancel()
            self._timer_entry = None


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
