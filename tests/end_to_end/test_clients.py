"""Clients of Prometheus work on us unchanged: promtool asks over HTTP basic. Skipped where it is not
installed.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.end_to_end.client import Person, Sender

pytestmark = pytest.mark.slow


@pytest.fixture
def promtool(start):
    """Runs `promtool query` on a cluster that takes samples of two series."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    up = start()
    up.wait_until_up()
    person = Person(up.port, up.output)
    key = person.call("POST", "/api/api-keys/", json={"name": "client", "scopes": ["ingest", "read"]})[
        "secret"
    ]
    sender = Sender(up.port, key, 2)
    sender.start()
    while not sender.accepted:
        assert sender.is_alive()
    server = f"http://any:{key}@127.0.0.1:{up.port}/prometheus"

    def query(kind: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        placed = [*arguments[:-1], server, *arguments[-1:]] if kind != "series" else [*arguments, server]
        return subprocess.run(
            ["promtool", "query", kind, *placed], capture_output=True, text=True, check=False
        )

    yield query
    sender.finish()
    person.close()


def test_promtool_queries(promtool):
    instant = promtool("instant", "count(load)")
    span = promtool("range", "--step=1s", "vector(1)")
    series = promtool("series", '--match=load{n="1"}')
    labels = promtool("labels", "n")

    assert instant.stdout.startswith("{} => 2 @["), instant.stderr
    assert "1 @[" in span.stdout, span.stderr
    assert series.stdout.strip() == '{__name__="load", n="1"}', series.stderr
    assert labels.stdout.split() == ["0", "1"], labels.stderr


def test_promtool_shows_our_errors(promtool):
    refused = promtool("instant", "sum((")

    assert refused.returncode == 1
    assert "bad_data" in refused.stderr
    assert "parse error" in refused.stderr
