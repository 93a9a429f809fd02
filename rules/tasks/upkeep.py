"""Keeping house."""

from __future__ import annotations

from alertsite.core.clock import SystemClock
from alertsite.web.task import task
from rules.services import archiving


@task(capability="upkeep", soft_time_limit=550, time_limit=580, expires=600)
def archive_blocks() -> dict[str, int]:
    """Move closed blocks to the archive. Idempotency key: (tenant, window)."""
    return archiving.archive_all(SystemClock())


@task(capability="upkeep", soft_time_limit=280, time_limit=300, expires=3600)
def expire_history() -> dict[str, int]:
    """Delete ledger rows and ended messages beyond retention. Idempotency key: none needed, it deletes by
    age.
    """
    return archiving.expire_history(SystemClock())
