"""A real Prometheus and a real vmagent write here, and a rule on their data fires. Skipped where they are
not installed.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.end_to_end.client import Person
from tests.end_to_end.cluster import free_port

pytestmark = pytest.mark.slow

ARRIVES_WITHIN_S = 90


@pytest.fixture
def target():
    """Something to scrape: a counter that rises."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"# TYPE made_total counter\nmade_total {int(time.monotonic() * 10)}\nhot 42\n".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def platform(start):
    up = start()
    up.wait_until_up()
    person = Person(up.port, up.output)
    key = person.call("POST", "/api/api-keys/", json={"name": "writer", "scopes": ["ingest"]})["secret"]
    yield person, f"http://127.0.0.1:{up.port}/prometheus/api/v1/write", key
    person.close()


def prometheus(directory, target, url, key):
    config = directory / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: made
    static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: {url}
    authorization: {{credentials: {key}}}
    queue_config: {{batch_send_deadline: 1s}}
""",
        encoding="utf-8",
    )
    listen = f"--web.listen-address=127.0.0.1:{free_port()}"
    return ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data", listen]


def vmagent(directory, target, url, key):
    config = directory / "scrape.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: made
    static_configs: [{{targets: ["{target}"]}}]
""",
        encoding="utf-8",
    )
    return [
        "vmagent",
        f"-promscrape.config={config}",
        f"-remoteWrite.url={url}",
        f"-remoteWrite.bearerToken={key}",
        f"-remoteWrite.tmpDataPath={directory}/queue",
        f"-httpListenAddr=127.0.0.1:{free_port()}",
    ]


@pytest.mark.parametrize("sender", [prometheus, vmagent], ids=lambda sender: sender.__name__)
def test_rule_fires_on_what_a_real_sender_writes(sender, platform, target, tmp_path):
    if shutil.which(sender.__name__) is None:
        pytest.skip(f"{sender.__name__} is not installed")
    person, url, key = platform
    group = person.call("POST", "/api/rule-groups/", json={"name": "made", "interval": "1s"})
    rule = {
        "group": group["id"],
        "name": "Hot",
        "expr": 'hot{job="made"} > 40 and rate(made_total[10s]) > 1',
        "for": "2s",
    }
    person.call("POST", "/api/rules/", json=rule)
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(sender(tmp_path, target, url, key), stdout=log, stderr=log)
    try:
        alert = wait_for_alert(person)
    finally:
        process.terminate()
        process.wait(30)
        log.close()
    assert alert["labels"]["job"] == "made"
    assert alert["labels"]["instance"] == target
    assert b"non-recoverable" not in (tmp_path / "log").read_bytes()


def wait_for_alert(person):
    deadline = time.monotonic() + ARRIVES_WITHIN_S
    while time.monotonic() < deadline:
        found = person.everything("/api/alerts/", label="alertname:Hot", state="firing")
        if found:
            return found[0]
        time.sleep(1)
    raise AssertionError("the rule did not fire")
