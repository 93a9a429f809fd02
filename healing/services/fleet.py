"""The workers that evaluate, as they run now: how many processes each has, and how they get more or fewer.

What is changed so holds until a worker starts again with what it was started with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from celery import current_app

EVALUATE: Final = "evaluate"
ANSWER_S: Final = 2.0


class Fleet(Protocol):
    """Workers by name, and the processes of each."""

    def processes(self) -> Mapping[str, int]:
        """Of the workers that evaluate."""

    def resize(self, worker: str, by: int) -> None:
        """More processes, or fewer; the last stays."""


class CeleryFleet:
    """Asked over the broker; a worker that does not answer in time is left out."""

    def processes(self) -> Mapping[str, int]:
        """Of the workers that serve the queue `evaluate`, but for those whose pool is of threads."""
        asked = current_app.control.inspect(timeout=ANSWER_S)
        queues: Any = asked.active_queues() or {}
        serving = {name for name, served in queues.items() if any(one["name"] == EVALUATE for one in served)}
        stats: Any = asked.stats() or {}
        pools = {name: stats[name]["pool"].get("processes", ()) for name in sorted(serving & set(stats))}
        return {name: len(processes) for name, processes in pools.items() if processes}

    def resize(self, worker: str, by: int) -> None:
        """By `pool_grow` and `pool_shrink`: a process that works ends its task first."""
        change = current_app.control.pool_grow if by > 0 else current_app.control.pool_shrink
        change(abs(by), destination=[worker])


def shares(processes: Mapping[str, int], total: int) -> dict[str, int]:
    """By how much each worker changes so that all together have `total`: the smallest grows first, the
    largest shrinks first, and each keeps one.
    """
    wanted = dict(processes)
    while wanted and sum(wanted.values()) != max(total, len(wanted)):
        if sum(wanted.values()) < total:
            wanted[min(wanted, key=lambda name: (wanted[name], name))] += 1
        else:
            wanted[max(wanted, key=lambda name: (wanted[name], name))] -= 1
    return {name: size - processes[name] for name, size in wanted.items() if size != processes[name]}
