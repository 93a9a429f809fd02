"""The servers of one run of the tests: embedded PostgreSQL and Valkey in a directory of their own."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

REDIS_DATABASES = 64
PASSWORD = "sandbox"  # noqa: S105 (reachable only through a socket in a private directory)


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where a PostgreSQL and a Redis answer."""

    database: str
    redis: str


def sandbox_directory(name: str) -> Path:
    """Where the servers of the run `name` live; short, since a Unix socket's path holds about 100 bytes."""
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"alertsite-{digest}"


def sandbox_urls(name: str, *, redis_database: int) -> ServerUrls:
    """The URLs of the servers of the run `name`, whether they run yet or not."""
    sockets = sandbox_directory(name) / "run"
    return ServerUrls(
        database=f"postgresql://alertsite:{PASSWORD}@/alertsite?host={quote(str(sockets))}",
        redis=f"unix://{quote(str(sockets))}/valkey.sock?db={redis_database % REDIS_DATABASES}",
    )
