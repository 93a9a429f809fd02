"""The Celery application and the base of every task.

In: messages of JSON primitives. Out: no results (what a task did is in PostgreSQL). A task that raises an
error marked `retryable` is tried again on its own queue with backoff, jitter and cap.
"""

from __future__ import annotations

import os
from logging.config import dictConfig
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, task_prerun
from celery.utils.time import get_exponential_backoff_interval
from django.conf import settings
from django.db import close_old_connections
from kombu import Queue

from alertsite.core.errors import PlatformError
from alertsite.runtime.worker import HeartbeatStep, TakeoverStep
from alertsite.schedule import BEAT_SCHEDULE
from alertsite.settings.celery import QUEUES

MAX_BACKOFF_S = 60

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alertsite.settings.base")  # noqa: TID251 (Django's own seam)


class PlatformTask(Task):  # type: ignore[type-arg]
    """A task that is retried only for errors that say they are `retryable`."""

    abstract = True
    capability: str
    """The queue that serves the task, stated where the task is; Celery's own attribute for it is to go."""
    max_retries = 8

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task; schedule another try when its error asks for one."""
        try:
            return super().__call__(*args, **kwargs)
        except PlatformError as error:
            if not error.retryable:
                raise
            delay_s = get_exponential_backoff_interval(
                1, self.request.retries, MAX_BACKOFF_S, full_jitter=True
            )
            raise self.retry(exc=error, countdown=max(1, delay_s)) from error


def route_by_capability(
    name: str, _: Any, __: Any, options: dict[str, Any], task: Any = None, **___: Any
) -> dict[str, str] | None:
    """Send a task to the queue it states; a sender that knows only its name says the queue itself."""
    if options.get("queue"):
        return None
    known: Any = task or app.tasks[name]
    return {"queue": known.capability}


@setup_logging.connect
def log_as_the_site_does(**_: Any) -> None:
    """Keep Django's logging in workers and beat; Celery sets up its own only where nobody connected."""
    dictConfig(settings.LOGGING)


@task_prerun.connect
def drop_old_connections(**_: Any) -> None:
    """Give up connections that are too old or broken, as Django does before each request."""
    close_old_connections()


app = Celery("alertsite", task_cls=PlatformTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_routes = (route_by_capability,)
app.conf.task_queues = [Queue(name, routing_key=name) for name in QUEUES]
app.conf.beat_schedule = BEAT_SCHEDULE
app.steps["worker"].add(HeartbeatStep)
app.steps["consumer"].add(TakeoverStep)
app.autodiscover_tasks()
