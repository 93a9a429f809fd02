"""What the contract suites share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis
from django.conf import settings

from tests.contracts.adapter_benches import BENCHES, Bench


@pytest.fixture(scope="session")
def redis_client(servers: None) -> Iterator[redis.Redis]:
    """A client of this worker's Redis database. Tests keep apart by using tenants of their own."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client


@pytest.fixture(scope="module")
def benches() -> Iterator[dict]:
    """A simulated provider each, opened by the first test that asks."""
    with ExitStack() as stack:
        opened: dict[str, Bench] = {}

        class Opening(dict):
            def __missing__(self, provider: str) -> Bench:
                opened[provider] = self[provider] = stack.enter_context(BENCHES[provider]())
                return opened[provider]

        yield Opening()
