"""Sending messages beside the tasks of the process that has claimed them.

A task for each flush would cost more than the flush, and each message another wait. Every message is a row
with a lease: a process that ends in between loses none. What a receiver is owed beyond `ROOM` stays in the
database, from where the threads that send to it fetch more when they have caught up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import Final
from uuid import UUID

import structlog
from django.db import close_old_connections

from alertsite.tenancy.scope import stay_in_platform_scope
from rules.services.delivery import MESSAGES_PER_BATCH, MessageClaim

log = structlog.get_logger(__name__)

THREADS: Final = 16
PER_RECEIVER: Final = 4
"""Threads that one receiver may hold: a slow one leaves the others to its neighbours."""
ROOM: Final = 200
"""Messages of one receiver that may wait here."""
STORM: Final = 50
"""So many that wait at once are a storm."""
BATCH_S: Final = 0.03
"""Messages that a receiver takes within this are read together: of a quick one several, of a slow one each by
itself, so that its threads share them.
"""

QUICK_S: Final = 0.1
"""A receiver that takes a message within this waits for the interpreter, not for the network."""

Send = Callable[[Sequence[MessageClaim]], object]
Fetch = Callable[[UUID, int], list[MessageClaim]]
"""Claims up to so many messages that a receiver is owed."""


@dataclass(slots=True)
class _Line:
    """What waits for one receiver."""

    receiver: UUID
    waiting: deque[MessageClaim] = field(default_factory=deque)
    threads: int = 0
    behind: bool = False
    """Whether more was left in the database."""
    message_s: float = BATCH_S
    """How long a message took of late."""

    @property
    def size(self) -> int:
        """Messages to read together."""
        return max(1, min(MESSAGES_PER_BATCH, int(BATCH_S / self.message_s)))

    @property
    def allowed(self) -> int:
        """Threads that it may hold. A quick receiver for whom many messages wait competes with its neighbours
        for the interpreter, not for threads: with one it leaves them their turns.
        """
        return 1 if len(self.waiting) > STORM and self.message_s < QUICK_S else PER_RECEIVER

    def took(self, messages: int, seconds: float) -> None:
        """Learn from a batch how quick the receiver is."""
        self.message_s += (max(seconds, 1e-4) / messages - self.message_s) / 4


class Senders:
    """Threads that send. Receivers take turns."""

    def __init__(self, send: Send, fetch: Fetch, threads: int = THREADS) -> None:
        self._send = send
        self._fetch = fetch
        self._threads = threads
        self._lines: dict[UUID, _Line] = {}
        self._ready: dict[UUID, _Line] = {}
        """Those for whom something waits, in the order of their turns."""
        self._running = 0
        self._stopped = False
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, "sender", initializer=stay_in_platform_scope)

    def take(self, claims: Iterable[MessageClaim]) -> list[MessageClaim]:
        """Have messages sent. What finds no room is returned, and its receiver noted as one to fetch for."""
        left = []
        with self._lock:
            for claim in claims:
                line = self._lines.setdefault(claim.receiver_id, _Line(claim.receiver_id))
                if self._stopped or len(line.waiting) >= ROOM:
                    line.behind = True
                    left.append(claim)
                else:
                    line.waiting.append(claim)
                    self._ready[claim.receiver_id] = line
            missing = min(self._threads - self._running, self._wanted())
            self._running += missing
            for _ in range(missing):
                self._pool.submit(self._work)
        return left

    def stop(self) -> list[MessageClaim]:
        """Have threads end after what they are sending. What still waited."""
        with self._lock:
            self._stopped = True
            left = [claim for line in self._lines.values() for claim in line.waiting]
            self._lines.clear()
            self._ready.clear()
        self._pool.shutdown(wait=False)
        return left

    def wait(self) -> None:
        """Until everything taken is sent; nothing can be taken any more."""
        self._pool.shutdown()

    def _wanted(self) -> int:
        """Threads that would find something to send."""
        return sum(
            min(line.allowed - line.threads, ceil(len(line.waiting) / line.size))
            for line in self._ready.values()
        )

    def _work(self) -> None:
        """Send batch after batch until nothing waits."""
        while (line := self._turn()) is not None:
            try:
                self._serve(line)
            finally:
                with self._lock:
                    line.threads -= 1

    def _turn(self) -> _Line | None:
        """The receiver whose turn it is; it comes last from then on."""
        with self._lock:
            for receiver, line in self._ready.items():
                if line.threads < line.allowed:
                    self._ready[receiver] = self._ready.pop(receiver)
                    line.threads += 1
                    return line
            self._running -= 1
            return None

    def _serve(self, line: _Line) -> None:
        with self._lock:
            batch = [line.waiting.popleft() for _ in range(min(line.size, len(line.waiting)))]
            fetches = line.behind and len(line.waiting) < MESSAGES_PER_BATCH
            line.behind = line.behind and not fetches
            if not line.waiting:
                self._ready.pop(line.receiver, None)
        close_old_connections()
        try:
            if fetches:
                self._refill(line)
            if batch:
                began = time.perf_counter()
                self._send(batch)
                line.took(len(batch), time.perf_counter() - began)
        except Exception:  # the call into a receiver's channel: its messages are due again after their lease
            log.exception("sending.failed", receiver=str(line.receiver))

    def _refill(self, line: _Line) -> None:
        """Fetch what was left in the database; there is more where as much came as was asked for."""
        found = self._fetch(line.receiver, ROOM // 2)
        with self._lock:
            line.waiting.extend(found)
            if line.waiting and not self._stopped:
                self._ready[line.receiver] = line
            line.behind = line.behind or len(found) == ROOM // 2
