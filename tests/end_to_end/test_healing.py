"""Healing by real processes on simulated providers: what degrades is repaired once, by whoever survives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter

import httpx
import pytest

from alertsite.core.clock import SystemClock
from tests.end_to_end.client import Person
from tests.end_to_end.cluster import REPOSITORY
from tests.end_to_end.gate import Gate
from tests.end_to_end.test_people import Desk, make_receiver, make_route, until

pytestmark = pytest.mark.slow

SECOND = "bob"
PASSWORD = "a-second-person"
MAKE_SECOND = f"""
from alertsite.tenancy.models import Membership, Tenant, User
from alertsite.tenancy.scope import platform_scope
with platform_scope():
    user = User.objects.create_user("{SECOND}", password="{PASSWORD}")
    Membership.objects.create(tenant=Tenant.objects.get(slug="demo"), user=user, role="member")
"""
RESTART = """\
playbook: restart what is down
trigger: {alert: 'alertname="ServiceDown"'}
limits: {cool_down: 0s}
verify: {for: 3s, within: 2m, every: 1s}
steps:
  - {action: restart_service, account: sandbox-docker, with: {space: shop, service: "{{ labels.service }}"}}
"""
GROW = """\
playbook: grow what is slow
trigger: {alert: 'alertname="ServiceSlow"'}
limits: {cool_down: 0s}
verify: {expr: 'service_latency < 0.2', for: 2s, within: 8s, every: 1s}
steps:
  - {action: scale_group, account: sandbox-gcp, with: {place: europe-west1-b, group: workers, size: 5}}
"""
TWO_STEPS = """\
playbook: restart and grow
trigger: {manual: true}
limits: {cool_down: 0s}
steps:
  - {action: restart_service, account: sandbox-docker, with: {space: shop, service: api}}
  - {wait: 15s}
  - {action: scale_service, account: sandbox-docker, with: {space: shop, service: api, size: 3}}
"""
CONTAINERS = 2
LEASE_ENDS_WITHIN_S = 180


class Sandbox:
    """`manage.py sandbox`, and what was done in it."""

    def __init__(self, up, *providers: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "sandbox", "--json", *providers],
            cwd=REPOSITORY,
            env={"PATH": os.defpath, "ALERTSITE_STATE_DIR": str(up.state)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.accounts = json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def url(self, provider: str) -> str:
        settings = self.accounts[provider]["settings"]
        return settings.get("endpoint") or settings["engine"].replace("tcp://", "http://")

    def calls(self, provider: str) -> list[str]:
        """What may have changed something, oldest first."""
        return httpx.get(f"{self.url(provider)}/_control/calls").json()["calls"]

    def restarts(self) -> Counter[str]:
        """How often each container was restarted."""
        return Counter(call.split("/")[-2] for call in self.calls("docker") if call.endswith("/restart"))

    def group_size(self) -> int:
        path = "/compute/v1/projects/simulated-project/zones/europe-west1-b/instanceGroupManagers/workers"
        return httpx.get(self.url("gcp") + path).json()["targetSize"]


class Service(threading.Thread):
    """Says by remote samples whether it is up: only once its containers were restarted in the simulator."""

    def __init__(self, port: int, key: str, sandbox: Sandbox) -> None:
        super().__init__(daemon=True)
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=10, headers={"Authorization": f"Bearer {key}"}
        )
        self._sandbox = sandbox
        self._over = threading.Event()
        self.broken = False

    def run(self) -> None:
        while not self._over.wait(0.5):
            well = not self.broken or bool(self._sandbox.restarts())
            rows = [
                {"labels": {"__name__": name, "service": "api"}, "samples": [[SystemClock().now_ms(), value]]}
                for name, value in (("service_up", int(well)), ("service_latency", 0.1 if well else 2.5))
            ]
            self._http.post("/api/series/", content="\n".join(map(json.dumps, rows)))

    def finish(self) -> None:
        self._over.set()
        self.join()
        self._http.close()


@pytest.fixture
def scene(start):
    """A cluster with two people, a message desk and simulated providers."""
    up = start(ALLOW_PRIVATE_WEBHOOKS="true", CLOUD_ALLOW_PRIVATE="true")
    up.wait_until_up()
    up.manage("shell", "-c", MAKE_SECOND)
    desk, sandbox = Desk(), Sandbox(up, "docker", "gcp")
    author = Person(up.port, up.output)
    second = Person(up.port, name=SECOND, password=PASSWORD)
    make_route(author, make_receiver(author, "desk", desk))
    yield up, author, second, desk, sandbox
    for opened in (author, second, desk, sandbox):
        opened.close()


def make_account(person: Person, body) -> None:
    person.call("POST", "/api/cloud-accounts/", json=body)


def arm(person: Person, text: str) -> str:
    playbook = person.call("POST", "/api/playbooks/", json={"text": text})["id"]
    person.call("POST", f"/api/playbooks/{playbook}/arm/")
    return playbook


def make_rule(person: Person, name: str, expr: str) -> None:
    group = person.call("POST", "/api/rule-groups/", json={"name": name, "interval": "1s"})["id"]
    person.call("POST", "/api/rules/", json={"group": group, "name": name, "expr": expr, "for": "0s"})


def run_in(person: Person, state: str, playbook: str, within_s: float = 60):
    """The run of a playbook, once it is in a state."""

    def found():
        rows = person.everything("/api/healing-runs/", playbook=playbook)
        return next((row for row in rows if row["state"] == state), None)

    return until(found, within_s, f"a run that is {state}")


def story(person: Person, run) -> dict:
    return person.call("GET", f"/api/healing-runs/{run['id']}/")["story"]


def approve(author: Person, second: Person, run) -> None:
    """The author's yes is refused, the second person's counts."""
    path, body = f"/api/healing-runs/{run['id']}/approve/", {"plan_hash": run["plan_hash"]}
    with pytest.raises(AssertionError, match="the vote does not count: author"):
        author.call("POST", path, json=body)
    second.call("POST", path, json=body)


def told(desk: Desk, name: str, status: str):
    """Whether the desk got an alert of this name and status."""
    return any(
        (one["labels"]["alertname"], one["status"]) == (name, status)
        for message in desk.notifications
        for one in message["alerts"]
    )


def test_a_service_that_degrades_is_healed_and_what_does_not_help_is_taken_back(scene):
    up, author, second, desk, sandbox = scene
    for account in sandbox.accounts.values():
        make_account(author, account)
    restart, grow = arm(author, RESTART), arm(author, GROW)
    make_rule(author, "ServiceDown", "service_up == 0")
    make_rule(author, "ServiceSlow", "service_latency > 1")
    key = author.call("POST", "/api/api-keys/", json={"name": "service", "scopes": ["ingest"]})["secret"]
    service = Service(up.port, key, sandbox)
    service.start()
    service.broken = True

    asked = {playbook: run_in(author, "awaiting", playbook) for playbook in (restart, grow)}
    until(lambda: told(desk, "HealingApproval", "firing"), 30, "the question to people")
    assert (sandbox.calls("docker"), sandbox.calls("gcp")) == ([], [])

    approve(author, second, asked[grow])
    rolled_back = run_in(author, "rolled_back", grow)
    assert "not healthy in time" in rolled_back["reason"]
    assert len([call for call in sandbox.calls("gcp") if "resize" in call]) == 2
    assert sandbox.group_size() == CONTAINERS
    steps = {step["key"]: step for step in story(author, rolled_back)["steps"]}
    assert {name: steps[name]["inputs"]["size"] for name in steps} == {"1": 5, "undo:1": 2}

    approve(author, second, asked[restart])
    healed = run_in(author, "succeeded", restart)
    assert sorted(sandbox.restarts().values()) == [1] * CONTAINERS
    until(lambda: told(desk, "ServiceDown", "resolved"), 30, "the message that it is over")
    service.finish()

    told_of = story(author, healed)
    assert told_of["saw"]["labels"]["service"] == "api"
    assert [vote["person"] for vote in told_of["approvals"]] == [SECOND]
    assert told_of["verified"]["healthy_since"]
    (step,) = told_of["steps"]
    assert [call["phase"] for call in step["calls"]].count("act") >= CONTAINERS
    query = {"query": 'auto_healing_success_ratio{playbook="restart what is down"}'}

    def ratio():
        answer = author.call("GET", "/prometheus/api/v1/query", params=query)
        return [row["value"][1] for row in answer["data"]["result"]]

    assert until(ratio, 30, "the outcome as a series") == ["1"]


def test_a_worker_killed_during_a_call_after_it_and_between_steps_acts_once(scene):
    up, author, second, _, sandbox = scene
    gate = Gate(sandbox.url("docker"))
    account = sandbox.accounts["docker"]
    make_account(author, account | {"settings": {"engine": f"tcp://127.0.0.1:{gate.port}"}})
    playbook = arm(author, TWO_STEPS)
    author.call("POST", f"/api/playbooks/{playbook}/start/", json={})
    run = run_in(author, "awaiting", playbook)

    gate.hold(r"POST .*/restart")
    approve(author, second, run)
    kill_at(up, gate)
    assert sum(sandbox.restarts().values()) == 1, "the call was made, and its answer was lost"
    gate.hold("GET .*/containers/json")  # whoever takes over asks how far it has come, and is lost as well
    kill_at(up, gate)
    until(lambda: states(author, run) == ["done", "accepted", "pending"], 2 * LEASE_ENDS_WITHIN_S, "the wait")
    up.running()[0]["heal"].kill()
    run_in(author, "succeeded", playbook, within_s=2 * LEASE_ENDS_WITHIN_S)

    assert sorted(sandbox.restarts().values()) == [1] * CONTAINERS
    assert len([call for call in sandbox.calls("docker") if "/containers/create" in call]) == 1
    gate.close()


def kill_at(up, gate: Gate) -> None:
    """`kill -9` of the heal worker while it waits for an answer that is kept back."""
    assert gate.reached.wait(LEASE_ENDS_WITHIN_S)
    up.running()[0]["heal"].kill()
    gate.open()
    up.lines_until("heal healthy")


def states(person: Person, run) -> list[str]:
    """Of the steps of a run."""
    return [step["state"] for step in story(person, run)["steps"]]


def test_the_demo_heals_once_a_person_has_armed_it(scene):
    up, author, _, _, _ = scene
    demo = subprocess.Popen(
        [sys.executable, "manage.py", "healdemo", "--seconds", "240"],
        cwd=REPOSITORY,
        env={"PATH": os.defpath, "ALERTSITE_STATE_DIR": str(up.state), "CLOUD_ALLOW_PRIVATE": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: author.everything("/api/playbooks/"), 60, "the demo's playbook")
        (playbook,) = author.everything("/api/playbooks/")
        assert playbook["armed_at"] is None
        run_in(author, "rehearsed", playbook["id"])
        author.call("POST", f"/api/playbooks/{playbook['id']}/arm/")
        asked = run_in(author, "awaiting", playbook["id"])
        author.call(
            "POST", f"/api/healing-runs/{asked['id']}/approve/", json={"plan_hash": asked["plan_hash"]}
        )
        run_in(author, "succeeded", playbook["id"])
        told = demo.communicate(timeout=60)[0]
        assert demo.returncode == 0, told
        assert "not armed" in told.splitlines()[0]
        assert "succeeded verified" in told
    finally:
        demo.kill()
        demo.communicate()
