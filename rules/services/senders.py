"""Sending messages beside the tasks of the process that has claimed them.

A task for each flush would cost more than the flush, and each message another wait. Every message is a row
with a lease: a process that ends in between loses none, and what finds no thread goes to the queue.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import close_old_connections

from alertsite.tenancy.scope import stay_in_platform_scope
from rules.services.delivery import MessageClaim, batches

log = structlog.get_logger(__name__)

THREADS: Final = 8
PER_RECEIVER: Final = 4
"""Threads that one receiver may hold: a slow one leaves the others to its neighbours."""

Send = Callable[[Sequence[MessageClaim]], object]


class Senders:
    """Threads that send."""

    def __init__(self, threads: int = THREADS, per_receiver: int = PER_RECEIVER) -> None:
        self._free = threads
        self._per_receiver = per_receiver
        self._busy: Counter[UUID] = Counter()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "sender", initializer=stay_in_platform_scope)

    def take(self, claims: Sequence[MessageClaim], send: Send) -> list[MessageClaim]:
        """Begin to send what threads are free for. The rest."""
        left: list[MessageClaim] = []
        for batch in batches(claims):
            receiver = batch[0].receiver_id
            threads = self._reserve(receiver, len(batch))
            if not threads:
                left += batch
            for number in range(threads):
                sending = self._pool.submit(_send, send, batch[number::threads])
                sending.add_done_callback(partial(self._release, receiver))
        return left

    def wait(self) -> None:
        """Until everything taken is sent; nothing can be taken any more."""
        self._pool.shutdown()

    def _reserve(self, receiver: UUID, wanted: int) -> int:
        """How many threads may send to a receiver now, at most as many as there are messages."""
        with self._lock:
            threads = min(self._free, self._per_receiver - self._busy[receiver], wanted)
            self._free -= threads
            self._busy[receiver] += threads
            return threads

    def _release(self, receiver: UUID, sending: Future[Any]) -> None:
        with self._lock:
            self._free += 1
            self._busy[receiver] -= 1
            if not self._busy[receiver]:
                del self._busy[receiver]
        error = sending.exception()
        if error is not None:
            log.error("sending.failed", error=str(error), receiver=str(receiver))  # due again after its lease


def _send(send: Send, claims: Sequence[MessageClaim]) -> None:
    close_old_connections()
    send(claims)


@cache
def senders() -> Senders:
    """Those of this process."""
    return Senders()
