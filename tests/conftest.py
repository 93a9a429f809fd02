"""The servers of the tests: started when the first test asks, shared by all workers, gone with the last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
from django.conf import settings

from alertsite.runtime.sandbox import join

# A busy machine must not fail a law: neither an example nor drawing it has a deadline.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pictures docs/images` has the browser tests keep what they see, for the docs."""
    parser.addoption("--pictures", type=Path, help="directory for the pictures of browser tests")


@pytest.fixture(scope="session")
def servers() -> Iterator[None]:
    """PostgreSQL and Valkey answer at `settings.DATABASES` and `settings.REDIS_URL`."""
    if not settings.SANDBOX_NAME:
        yield
        return
    with join(settings.SANDBOX_NAME):
        yield


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: None, django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Before Django makes its test database, there must be a server."""


@pytest.fixture
def redis_url(servers: None) -> str:
    """An empty Redis database that belongs to this test alone."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    return settings.REDIS_URL
