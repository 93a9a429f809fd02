"""A real Prometheus answers the queries of rules: live ticks, what it refuses, and a back-test of the same
minutes. Skipped where it is not installed.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import datetime, timedelta

import pytest

from tests.end_to_end.client import Person
from tests.end_to_end.cluster import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed"),
]

WITHIN_S = 60


@pytest.fixture
def peer(tmp_path):
    """A Prometheus that scrapes itself every second."""
    port = free_port()
    config = tmp_path / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: self
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
""",
        encoding="utf-8",
    )
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(30)


@pytest.fixture
def person(start):
    up = start(ALLOW_PRIVATE_WEBHOOKS="true")
    up.wait_until_up()
    person = Person(up.port, up.output)
    yield person
    person.close()


def until(condition):
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("it did not come")


def test_a_real_prometheus_answers_live_and_in_back_tests(person, peer):
    source = person.call("POST", "/api/datasources/", json={"name": "peer", "url": peer})
    probe = f"/api/datasources/{source['id']}/test/"
    tried = until(lambda: (found := person.call("POST", probe))["ok"] and found)
    assert tried["value"] == 1
    assert tried["version"]
    group = person.call(
        "POST", "/api/rule-groups/", json={"name": "far", "interval": "1s", "datasource": source["id"]}
    )
    rules = {
        "Up": {"expr": 'up{job="self"} == 1', "for": "2s"},
        "Twins": {"expr": 'up * on (job) group_left () {__name__=~"up|scrape_samples_scraped"}'},
    }
    made = {
        name: person.call("POST", "/api/rules/", json={"group": group["id"], "name": name, **fields})
        for name, fields in rules.items()
    }

    alert = until(lambda: person.everything("/api/alerts/", label="alertname:Up", state="firing"))[0]
    failed = until(
        lambda: (row := person.call("GET", f"/api/rules/{made['Twins']['id']}/"))["health"] == "error" and row
    )

    assert alert["labels"]["job"] == "self"
    assert failed["last_error"].startswith("datasource 'peer': execution: ")
    fired_at = datetime.fromisoformat(alert["fired_at"])
    trial = {
        "rule": made["Up"]["id"],
        "start": (fired_at - timedelta(seconds=2)).isoformat(),
        "end": fired_at.isoformat(),
        "step": "1s",
        "svg": True,
    }
    replayed = person.call("POST", "/api/rules/backtest/", json=trial)
    fired = [one for one in replayed["transitions"] if one["state"] == "firing"]
    assert [datetime.fromisoformat(one["at"]) for one in fired] == [fired_at]
    assert replayed["svg"].startswith("<svg")
