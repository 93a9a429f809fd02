"""What the contract suites share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings


@pytest.fixture(scope="session")
def redis_client(servers: None) -> Iterator[redis.Redis]:
    """A client of this worker's Redis database. Tests keep apart by using tenants of their own."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
