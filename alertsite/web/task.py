"""How a task is declared: with its queue and limits, without which it cannot be written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from celery import Task, shared_task

P = ParamSpec("P")
R = TypeVar("R")


def task(
    *, capability: str, soft_time_limit: int, time_limit: int, expires: int | None = None
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a Celery task.

    Parameters
    ----------
    capability
        The queue that serves it (`alertsite.settings.celery.QUEUES`).
    soft_time_limit, time_limit
        Seconds.
    expires
        Seconds after which a message that nobody took is dropped, for tasks that are sent again and again.
    """
    options: dict[str, Any] = {
        "capability": capability,
        "soft_time_limit": soft_time_limit,
        "time_limit": time_limit,
    }
    if expires is not None:
        options["expires"] = expires
    declared: Callable[[Callable[P, R]], Task[P, R]] = shared_task(**options)
    return declared
