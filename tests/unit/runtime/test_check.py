"""The waiting logic of `up --check`, against a fake clock and a REST interface of canned answers."""

import asyncio
import json

import httpx
import pytest

from alertsite.runtime import check
from alertsite.runtime.check import CheckFailed, NotYet, Rest, Step, set_scene, steps_of, timeline_row, walk
from alertsite.runtime.inbox import Inbox, open_inbox


class Ticking:
    """A clock that moves on by a second each time it is read."""

    def __init__(self):
        self.now = -1.0

    def __call__(self):
        self.now += 1.0
        return self.now


STILL_NOTHING = NotYet("still nothing")


def reached_after(name, times, fault=STILL_NOTHING):
    """A step that is reached when it is asked the n-th time."""
    asked = iter(range(1, 1000))

    async def ask():
        if next(asked) < times:
            raise fault
        return f"{name} seen"

    return Step(name, ask)


def walked(steps, within_s=1000.0):
    async def collect():
        return [reached async for reached in walk(steps, within_s=within_s, now_s=Ticking())]

    return asyncio.run(collect())


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(check, "EVERY_S", 0)


def test_steps_are_timed_from_the_start_and_from_the_step_before():
    first, second = walked([reached_after("stored", 2), reached_after("firing", 3)])
    assert (first.name, first.seen, first.after_s, first.step_s) == ("stored", "stored seen", 2, 2)
    assert (second.name, second.after_s, second.step_s) == ("firing", 5, 3)
    assert timeline_row(second) == "    5.00 s  (+3.00 s)  firing: firing seen"


def test_connection_that_fails_is_only_not_yet():
    (reached,) = walked([reached_after("stored", 3, httpx.ConnectError("refused"))])
    assert reached.name == "stored"


def test_step_that_is_not_reached_is_named_with_what_is_missing():
    with pytest.raises(CheckFailed, match=r"^not within 5 s: firing \(still nothing\)$"):
        walked([reached_after("stored", 1), reached_after("firing", 999)], within_s=5)


class Site:
    """A REST interface that remembers what it was asked and holds rows of two kinds."""

    def __init__(self):
        self.asked = []
        self.rows = {
            "rule-groups": [{"id": "old", "name": "up-check-old"}, {"id": "x", "name": "host"}],
            "receivers": [],
        }
        self.transitions = {}
        self.alerts = []

    def __call__(self, request):
        kind, *rest = request.url.path.removeprefix("/api/").strip("/").split("/")
        self.asked.append((request.method, request.url.path))
        if request.method == "DELETE":
            self.rows[kind] = [row for row in self.rows[kind] if row["id"] != rest[0]]
            return httpx.Response(204)
        if request.method == "POST":
            return self.make(kind, json.loads(request.content))
        if kind == "transitions":
            key = request.url.params["rule"], request.url.params["state"]
            return httpx.Response(200, json={"results": self.transitions.get(key, [])})
        if kind == "alerts":
            return httpx.Response(200, json={"results": self.alerts})
        if kind == "rules":
            return httpx.Response(200, json={"health": "error", "last_error": "reads too much"})
        return httpx.Response(200, json={"results": self.rows[kind]})

    def make(self, kind, values):
        if kind == "token":
            return httpx.Response(200, json={"access": "a.jwt"})
        if values.get("name") == "refused":
            return httpx.Response(400, json={"detail": "no such name"})
        row = {"id": f"{kind} {len(self.rows.setdefault(kind, []))}", **values}
        self.rows[kind].append(row)
        return httpx.Response(201, json=row)


def on_site(scenario):
    """Run a scenario with a site and a person signed in there."""
    site = Site()

    async def run():
        async with httpx.AsyncClient(transport=httpx.MockTransport(site)) as client:
            rest = Rest(client, "http://site", "demo")
            await rest.sign_in("up-check", "word")
            await scenario(site, rest)

    asyncio.run(run())


def test_scene_is_made_and_removed_with_what_an_earlier_check_left():
    async def scenario(site, rest):
        async with set_scene(rest, Inbox("http://127.0.0.1:1/")) as scene:
            assert [row["name"] for row in site.rows["rule-groups"]] == ["host", scene.alert_name]
            (receiver,) = site.rows["receivers"]
            assert receiver["config"] == {"url": "http://127.0.0.1:1/"}
            assert site.rows["rules"][1]["for"] == check.CONDITION_FOR
        assert [row["name"] for row in site.rows["rule-groups"]] == ["host"]
        assert site.rows["receivers"] == []

    on_site(scenario)


def test_refusal_is_told_in_the_sites_own_words():
    async def scenario(_, rest):
        with pytest.raises(CheckFailed, match=r"POST /api/receivers/ was answered 400: .*no such name"):
            await rest.send("POST", "/api/receivers/", {"name": "refused"})

    on_site(scenario)


def test_steps_are_reached_one_after_the_other():
    inbox = Inbox("http://127.0.0.1:1/")

    async def scenario(site, rest):
        async with set_scene(rest, inbox) as scene:
            steps = steps_of(rest, inbox, scene)
            stored, pending, firing, delivered, visible = steps
            with pytest.raises(NotYet, match="reads too much"):
                await stored.ask()
            change = {"value": 249.0, "at": "12:00"}
            site.transitions[scene.samples_rule, "firing"] = [change]
            assert await stored.ask() == "249 series of this machine"
            for step, state in ((pending, "pending"), (firing, "firing")):
                with pytest.raises(NotYet):
                    await step.ask()
                site.transitions[scene.condition_rule, state] = [change]
                assert await step.ask() == "at 12:00"
            for alertname, state in (("another", "firing"), (scene.alert_name, "resolved")):
                inbox.put({"status": state, "alerts": [{"labels": {"alertname": alertname}}]})
            with pytest.raises(NotYet, match="2 notifications arrived, none of this alert"):
                await delivered.ask()
            inbox.put({"status": "firing", "alerts": [{"labels": {"alertname": scene.alert_name}}]})
            assert await delivered.ask() == "at http://127.0.0.1:1/"
            with pytest.raises(NotYet, match="0 alerts of the rule"):
                await visible.ask()
            site.alerts.append({"id": "one", "state": "firing"})
            assert await visible.ask() == "/api/alerts/one/"

    on_site(scenario)


@pytest.mark.parametrize(
    ("body", "status", "kept"),
    [
        pytest.param(b'{"state": "firing"}', 204, [{"state": "firing"}], id="an object"),
        pytest.param(b'["firing"]', 400, [], id="not an object"),
        pytest.param(b"firing", 400, [], id="not JSON"),
    ],
)
def test_inbox_keeps_objects_only(body, status, kept):
    with open_inbox() as inbox:
        assert httpx.post(inbox.url, content=body, trust_env=False).status_code == status
        assert inbox.arrived() == kept
