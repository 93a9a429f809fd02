"""Nudges: what is due is done once it is stored, not at beat's next second.

A nudge is a task or, while one is at work, a bell in Redis that it hears. Redis may be lost: nudges go with
it, and beat wakes every second anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from celery import current_app
from django.db import transaction
from redis import RedisError

from alertsite.core.clock import Clock
from rules.services.stores import redis_client
from rules.services.waking import note_wake

log = structlog.get_logger(__name__)

WAKE_GROUPS: Final = "rules.tasks.notifying.wake_groups"
WAKE_DELIVERIES: Final = "rules.tasks.delivering.wake_deliveries"
WAKE_HEALING: Final = "healing.tasks.healing.wake_healing"
"""Tasks that do what is due, known here by name: services do not import tasks."""
WAITS_MS: Final = 1_000
"""After so long a nudge that has not begun counts as lost."""
STAYS_MS: Final = 5_000
"""How long a nudged task goes on while there is work; the next nudge sends another."""
LISTENS_S: Final = 0.25
"""How long a task that has found nothing listens before it ends."""
_AWAKE: Final = "alertsite:waking:{}"
_BELL: Final = "alertsite:bell:{}"
_HELP: Final = "alertsite:help:{}"


def nudge_after_commit() -> None:
    """Have due groups flushed once this transaction is stored, not at the next second.

    A broker that cannot be reached costs that second and nothing else.
    """
    transaction.on_commit(_nudge, robust=True)


def nudge_deliveries_after_commit() -> None:
    """As `nudge_after_commit`, for messages that are owed."""
    transaction.on_commit(_nudge_deliveries, robust=True)


def nudge_healing_after_commit() -> None:
    """As `nudge_after_commit`, for playbooks that alerts start."""
    transaction.on_commit(_nudge_healing, robust=True)


def _nudge() -> None:
    """Ring, for who listens; send a task unless one is on its way or at work."""
    pipe = redis_client().pipeline(transaction=False)
    pipe.rpush(_BELL.format(WAKE_GROUPS), b"1")
    pipe.set(_AWAKE.format(WAKE_GROUPS), b"1", nx=True, px=WAITS_MS)
    if pipe.execute()[1]:
        _send(WAKE_GROUPS, "notify")


def _nudge_deliveries() -> None:
    if _mark(_AWAKE.format(WAKE_DELIVERIES)):
        _send(WAKE_DELIVERIES, "notify")


def _nudge_healing() -> None:
    if _mark(_AWAKE.format(WAKE_HEALING)):
        _send(WAKE_HEALING, "heal")


def call_help(task: str) -> None:
    """Send another of a task that finds more than it can do, at most one each `WAITS_MS`."""
    if _mark(_HELP.format(task)):
        _send(task, "notify")


def _mark(key: str) -> bool:
    """Say that a task is on its way. Whether none was: what waits will find this work as well."""
    return bool(redis_client().set(key, b"1", nx=True, px=WAITS_MS))


def _send(task: str, queue: str) -> None:
    current_app.send_task(task, kwargs={"nudged": True}, queue=queue, expires=10, retry=False)


def begin_waking(task: str, kind: str, *, nudged: bool, now: datetime) -> None:
    """What a waking task says before it looks for work: woken by time, that it was; nudged, that what is
    stored from now on needs another.
    """
    if nudged:
        _sleep(task)
    else:
        note_wake(kind, now=now)


def until_idle(task: str, work: Callable[[], int], clock: Clock, *, listens_s: float = LISTENS_S) -> int:
    """What a nudged task does where much may come at once: work until there is nothing, and nobody has rung
    for `listens_s`. How much was done; `work` tells how much it found.

    While it is at work, who stores something rings and sends no task. It says that it sleeps before it looks
    for the last time, so that what is stored after that look has a task of its own.
    """
    done, ends_ms = 0, clock.now_ms() + STAYS_MS
    try:
        while clock.now_ms() < ends_ms:
            _stay_awake(task)
            found = work()
            done += found
            if not found and not _hears(task, listens_s):
                break
    except RedisError:
        log.warning("nudging.redis_lost", task=task)
    _sleep(task)
    return done + work()


def _stay_awake(task: str) -> None:
    """Say that a task is at work, and that it hears from now on."""
    pipe = redis_client().pipeline(transaction=False)
    pipe.set(_AWAKE.format(task), b"1", px=WAITS_MS)
    pipe.delete(_BELL.format(task))
    pipe.execute()


def _hears(task: str, within_s: float) -> bool:
    """Whether somebody rings."""
    return redis_client().blpop([_BELL.format(task)], timeout=within_s) is not None


def _sleep(task: str) -> None:
    """Say that what is stored from now on needs another task."""
    try:
        redis_client().delete(_AWAKE.format(task))
    except RedisError:
        log.warning("nudging.redis_lost", task=task)  # the mark ends by itself
