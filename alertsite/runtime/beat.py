"""Beat's scheduler. Apart from the workers' heartbeat, since it needs models that workers load later."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler

from alertsite.runtime.heartbeat import touch


class BeatingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The scheduler of django-celery-beat, which leaves a sign of life at each tick."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """Send what is due, then touch the heartbeat file: a tick that hangs or fails leaves it stale."""
        next_tick_s = super().tick(*args, **kwargs)
        if settings.HEARTBEAT_FILE:
            touch(settings.HEARTBEAT_FILE)
        return next_tick_s
