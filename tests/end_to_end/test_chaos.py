"""Real processes killed under load: no tick without an outcome, no transition and no notification lost."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime
from itertools import pairwise

import pytest

from tests.end_to_end.client import Person, Sender, WebhookSink

pytestmark = pytest.mark.slow

GROUPS = 4
RULES = 5
SERIES = GROUPS * RULES
QUIET_WITHIN_S = 120
NEXT_STATES = {
    "inactive": {"pending", "firing"},
    "pending": {"firing", "inactive"},
    "firing": {"resolved"},
}


@pytest.fixture
def sink():
    webhook = WebhookSink()
    yield webhook
    webhook.close()


@pytest.fixture
def scene(start, sink):
    """A cluster under load: rules on series that go up and down, told to a webhook."""
    up = start(ALLOW_PRIVATE_WEBHOOKS="true")
    up.wait_until_up()
    person = Person(up.port, up.output)
    receiver = {"name": "sink", "kind": "webhook", "config": {"url": sink.url}}
    receiver_id = person.call("POST", "/api/receivers/", json=receiver)["id"]
    root = {"receiver": receiver_id, "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
    person.call("POST", "/api/routes/", json=root)
    for group in range(GROUPS):
        made = person.call("POST", "/api/rule-groups/", json={"name": f"load {group}", "interval": "1s"})
        for rule in range(RULES):
            number = group * RULES + rule
            body = {
                "group": made["id"],
                "name": f"Load{number}",
                "expr": f'load{{n="{number}"}} > 0',
                "for": "1s",
            }
            person.call("POST", "/api/rules/", json=body)
    key = person.call("POST", "/api/api-keys/", json={"name": "sender", "scopes": ["ingest"]})["secret"]
    sender = Sender(up.port, key, SERIES)
    sender.start()
    yield up, person, sender
    sender.finish()
    person.close()


def kill(up, name: str, *, child: bool = False) -> None:
    """`kill -9` of a process, or of one of a pool's workers; then wait until it is well again."""
    process = up.running()[0][name]
    if child:
        process.children()[0].kill()
    else:
        process.kill()
        up.lines_until(f"{name} healthy")


def settle(person: Person) -> None:
    """Wait until nothing is owed and nothing has happened for a while."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    while time.monotonic() < deadline:
        firing = person.everything("/api/alerts/", label="n:0") or person.everything(
            "/api/alerts/", label="n:7"
        )
        due = person.everything("/api/deliveries/", status="due")
        groups = person.everything("/api/alert-groups/")
        waiting = [one for one in groups if one["next_flush_at"] and "Load" in one["group_key"]]
        if not due and not firing and not waiting:
            return
        time.sleep(1)
    raise AssertionError("messages were still due, or alerts active, after the load had ended")


def test_nothing_is_lost_while_processes_are_killed(scene, sink):
    up, person, sender = scene
    time.sleep(8)
    for name, child in [
        ("evaluate", True),
        ("evaluate", False),
        ("beat", False),
        ("notify", False),
        ("web", False),
        ("valkey", False),
        ("postgres", False),
        ("evaluate", True),
    ]:
        kill(up, name, child=child)
        time.sleep(6)
    sender.finish()
    counted = {}
    for number in range(SERIES):
        query = f'count_over_time(load{{n="{number}"}}[10m])'
        answer = person.call("GET", "/prometheus/api/v1/query", params={"query": query})
        counted[number] = int(answer["data"]["result"][0]["value"][1])
    group_ids = [
        one["id"] for one in person.everything("/api/rule-groups/") if one["name"].startswith("load")
    ]
    for rule in person.everything("/api/rules/"):
        if rule["group"] in group_ids:
            person.call("POST", f"/api/rules/{rule['id']}/pause/")
    settle(person)

    assert min(counted.values()) >= len(sender.accepted)
    assert_every_tick_has_an_outcome(person)
    assert_states_follow_one_another(person)
    assert_everyone_was_told(person, sink)


def assert_every_tick_has_an_outcome(person: Person) -> None:
    ticks = defaultdict(list)
    for row in person.everything("/api/ledger/"):
        ticks[row["shard"]].append(datetime.fromisoformat(row["due_at"]))
    assert sum(map(len, ticks.values())) > 40
    for due in ticks.values():
        steps = {(later - earlier).total_seconds() for earlier, later in pairwise(sorted(due))}
        assert steps in ({1.0}, {15.0}), steps


def assert_states_follow_one_another(person: Person) -> None:
    histories = defaultdict(list)
    for row in person.everything("/api/transitions/"):
        histories[row["alert"]].append(row)
    assert len(histories) > SERIES
    for history in histories.values():
        history.sort(key=lambda row: (datetime.fromisoformat(row["at"]), row["state"] == "resolved"))
        assert history[0]["previous"] == "inactive"
        for row in history:
            assert row["state"] in NEXT_STATES[row["previous"]], row
        for earlier, later in pairwise(history):
            told = [(row["at"], row["previous"], row["state"]) for row in history]
            assert later["previous"] == earlier["state"], (told, later["trace"], len(histories))


def assert_everyone_was_told(person: Person, sink: WebhookSink) -> None:
    """Every message arrived, a repeat has its key and a second attempt, and no alert that fired lacks both
    a message and a reason.
    """
    receiver = next(one["id"] for one in person.everything("/api/receivers/") if one["name"] == "sink")
    messages = {
        row["idempotency_key"]: row for row in person.everything("/api/deliveries/", receiver=receiver)
    }
    assert {row["status"] for row in messages.values()} == {"delivered"}
    assert set(sink.keys) == set(messages)
    for key, count in sink.keys.items():
        assert count <= messages[key]["attempts"], (key, count)
    assert person.call("GET", "/api/deliveries/undelivered/") == []
    told = {(one["alert"], one["state"]) for row in messages.values() for one in row["told"]}
    kept = {row["alert_id"] for row in person.everything("/api/suppressions/")}
    changes = person.everything("/api/transitions/", state="firing")
    fired = {row["alert"] for row in changes if row["labels"]["alertname"].startswith("Load")}
    assert fired <= {alert for alert, _ in told} | kept
    newest: dict[str, str] = {}
    for row in sorted(messages.values(), key=lambda row: datetime.fromisoformat(row["created_at"])):
        newest |= {one["labels"]["alertname"]: one["state"] for one in row["told"]}
    assert {state for name, state in newest.items() if name.startswith("Load")} == {"resolved"}
