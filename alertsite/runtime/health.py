"""Questions that tell whether a process works, not only whether it exists. Each answers with a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from alertsite.core.clock import Clock
from alertsite.runtime.heartbeat import STALE_AFTER_S, age_s
from alertsite.runtime.servers import Servers, fault_of_postgres, fault_of_redis

Probe = Callable[[], Awaitable[str]]


def http_probe(client: httpx.AsyncClient, url: str) -> Probe:
    """`url` answers 200."""

    async def ask() -> str:
        """Why the address does not answer well; nothing if it does."""
        try:
            answer = await client.get(url)
        except httpx.HTTPError as error:
            return f"{url}: {type(error).__name__}"
        return "" if answer.status_code == httpx.codes.OK else f"{url}: status {answer.status_code}"

    return ask


def postgres_probe(servers: Servers) -> Probe:
    """PostgreSQL accepts a connection."""
    return lambda: asyncio.to_thread(fault_of_postgres, servers)


def redis_probe(url: str) -> Probe:
    """Redis answers a ping."""
    return lambda: asyncio.to_thread(fault_of_redis, url)


def heartbeat_probe(path: Path, clock: Clock) -> Probe:
    """The file was touched lately."""

    async def ask() -> str:
        age = age_s(path, now_ms=clock.now_ms())
        if age is None:
            return "no heartbeat yet"
        return "" if age < STALE_AFTER_S else f"no heartbeat for {age:.0f} s"

    return ask
