"""A real Prometheus sends its alerts here, a real amtool lists and silences them, and people are told once.
Skipped where they are not installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time

import pytest

from tests.end_to_end.client import Person, WebhookSink
from tests.end_to_end.cluster import free_port

pytestmark = pytest.mark.slow

ARRIVES_WITHIN_S = 90


@pytest.fixture
def sink():
    sink = WebhookSink()
    yield sink
    sink.close()


@pytest.fixture
def platform(start, sink):
    up = start(ALLOW_PRIVATE_WEBHOOKS="true")
    up.wait_until_up()
    person = Person(up.port, up.output)
    scopes = ["ingest", "read", "write"]
    key = person.call("POST", "/api/api-keys/", json={"name": "peer", "scopes": scopes})["secret"]
    receiver = {"name": "sink", "kind": "webhook", "config": {"url": sink.url}}
    receiver_id = person.call("POST", "/api/receivers/", json=receiver)["id"]
    root = {"receiver": receiver_id, "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
    person.call("POST", "/api/routes/", json=root)
    yield person, f"http://127.0.0.1:{up.port}/alertmanager", key
    person.close()


@pytest.fixture
def prometheus(platform, tmp_path):
    """Watches nothing but itself, with one rule that always holds."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    _, url, key = platform
    (tmp_path / "rules.yml").write_text(
        """
groups:
  - name: g
    interval: 1s
    rules:
      - alert: AlwaysOn
        expr: vector(1)
        labels: {severity: critical}
        annotations: {summary: "it is {{ $value }}"}
""",
        encoding="utf-8",
    )
    host = url.removeprefix("http://").partition("/")[0]
    (tmp_path / "prometheus.yml").write_text(
        f"""
global: {{evaluation_interval: 1s}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - path_prefix: /alertmanager
      authorization: {{credentials: {key}}}
      static_configs: [{{targets: ["{host}"]}}]
""",
        encoding="utf-8",
    )
    log = (tmp_path / "log").open("wb")
    command = [
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    yield process
    process.terminate()
    process.wait(30)
    log.close()


@pytest.fixture
def amtool(platform, tmp_path):
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed")
    _, url, key = platform
    client = tmp_path / "client.yml"
    client.write_text(f"authorization: {{credentials: {key}}}\n", encoding="utf-8")

    def ask(*arguments):
        command = ["amtool", f"--alertmanager.url={url}", f"--http.config.file={client}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return ask


def wait_for(condition):
    deadline = time.monotonic() + ARRIVES_WITHIN_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("it did not happen in time")


def test_prometheus_sends_and_amtool_lists_and_silences(platform, prometheus, amtool, sink):
    person, _, _ = platform
    (alert,) = wait_for(lambda: json.loads(amtool("alert", "query", "-o", "json", "alertname=AlwaysOn")))
    assert alert["labels"] == {"alertname": "AlwaysOn", "severity": "critical"}
    assert alert["annotations"] == {"summary": "it is 1"}
    wait_for(lambda: sink.keys)

    quiet = amtool("silence", "add", "--comment=works", "--duration=1h", "alertname=AlwaysOn").strip()
    assert json.loads(amtool("silence", "query", "-o", "json"))[0]["id"] == quiet
    (silenced,) = json.loads(amtool("alert", "query", "-o", "json", "-s", "alertname=AlwaysOn"))
    assert silenced["status"]["silencedBy"] == [quiet]
    amtool("silence", "expire", quiet)
    assert json.loads(amtool("silence", "query", "-o", "json")) == []

    prometheus.terminate()
    prometheus.wait(30)
    alert_id = person.everything("/api/alerts/", label="alertname:AlwaysOn")[0]["id"]
    story = person.call("GET", f"/api/alerts/{alert_id}/trace/")
    kinds = [entry["kind"] for entry in story["entries"]]
    assert kinds[:2] == ["transition.firing", "routed"]
    assert "message.delivered" in kinds
    assert person.call("GET", "/api/deliveries/undelivered/") == []
