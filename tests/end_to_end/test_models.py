"""Models operated by real processes: in a browser, by REST, and a fault of a host that people are told of."""

from __future__ import annotations

import json
import math
import random
import threading
from pathlib import Path

import httpx
import pytest

from alertsite.core.clock import SystemClock, to_datetime
from tests.end_to_end.browser import browsing
from tests.end_to_end.client import Person
from tests.end_to_end.test_people import Desk, make_receiver, make_route, until

pytestmark = pytest.mark.slow

STEP_MS = 15_000
HISTORY = 440
"""Samples that are there before the cluster is told of them: 110 minutes."""
EARLIER_FAULT = range(HISTORY - 100, HISTORY - 97)
TERMS = {"warm_up": "10m", "season": "1h", "step": "15s", "retrain_interval": "1h"}
FORM = {"warm_up_s": "600", "season_s": "3600", "step_s": "15", "retrain_interval_s": "3600"}
LOAD = {"__name__": "node_load1", "instance": "web-1", "job": "node"}
MEMORY = {"__name__": "node_memory_MemAvailable_bytes", "instance": "web-1", "job": "node"}


class Machine(threading.Thread):
    """A host of the demo tenant under node_exporter's names, whose load and memory can be spoilt."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__(daemon=True)
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, headers=headers)
        self._random = random.Random(1)
        self._over = threading.Event()
        self.broken = False

    def tell_history(self) -> None:
        """An hour and fifty minutes with a fault in it."""
        last_ms = SystemClock().now_ms() // STEP_MS * STEP_MS
        times = [last_ms - STEP_MS * back for back in reversed(range(HISTORY))]
        rows = [(at_ms, number in EARLIER_FAULT) for number, at_ms in enumerate(times)]
        self._send(rows)

    def run(self) -> None:
        while not self._over.wait(2.0):
            self._send([(SystemClock().now_ms(), self.broken)])

    def finish(self) -> None:
        self._over.set()
        self.join()
        self._http.close()

    def _send(self, rows: list[tuple[int, bool]]) -> None:
        load = [[at_ms, self._load(at_ms) * (8.0 if broken else 1.0)] for at_ms, broken in rows]
        memory = [[at_ms, self._memory() * (0.1 if broken else 1.0)] for at_ms, broken in rows]
        lines = [{"labels": LOAD, "samples": load}, {"labels": MEMORY, "samples": memory}]
        answer = self._http.post("/api/series/", content="\n".join(map(json.dumps, lines)))
        assert answer.status_code == 200, answer.text

    def _load(self, at_ms: int) -> float:
        wave = math.sin(2.0 * math.pi * at_ms / 3_600_000)
        return 1.5 + 0.5 * wave + self._random.gauss(0.0, 0.08)

    def _memory(self) -> float:
        return 6e9 + self._random.gauss(0.0, 5e7)


@pytest.fixture
def scene(start):
    """A cluster, its operator, and a machine that reports to it."""
    up = start(ALLOW_PRIVATE_WEBHOOKS="true")
    up.wait_until_up()
    person = Person(up.port, up.output)
    key = person.call("POST", "/api/api-keys/", json={"name": "web-1", "scopes": ["ingest"]})["secret"]
    machine = Machine(up.port, key)
    machine.tell_history()
    machine.start()
    yield up, person, machine
    machine.finish()
    person.close()


def make_models(person: Person, **values):
    body = {"name": "load", "selector": 'node_load1{instance="web-1"}', "detector": "auto", **TERMS}
    return person.call("POST", "/api/model-groups/", json=body | values)


def active(person: Person, group: str):
    """The group once a model of its own scores."""

    def found():
        row = person.call("GET", f"/api/model-groups/{group}/")
        return row if row["state"] == "active" else None

    return until(found, 60, "a model that scores")


def scores(person: Person, selector: str) -> dict[str, float]:
    """Values of an instant query by metric name."""
    answer = person.call("GET", "/prometheus/api/v1/query", params={"query": selector})
    return {one["metric"]["__name__"]: float(one["value"][1]) for one in answer["data"]["result"]}


def test_a_new_user_makes_previews_and_watches_a_model_group_in_the_browser(scene, pytestconfig):
    up, person, machine = scene
    pictures: Path | None = pytestconfig.getoption("--pictures")
    with browsing(up) as page:
        page.goto(f"http://127.0.0.1:{up.port}/admin/ml/modelgroup/add/")
        page.select_option("select[name=tenant]", index=1)
        page.fill("input[name=name]", "web-load")
        page.fill("[name=selector]", 'node_load1{instance="web-1"}')
        page.select_option("select[name=detector]", "auto")
        for name, value in FORM.items():
            page.fill(f"input[name={name}]", value)
        with page.context.expect_page() as opened:
            page.click("text=Preview without saving")
        draft = opened.value
        draft.fill("input[name=hours]", "1")
        draft.click("button:has-text('Preview')")
        draft.wait_for_selector("text=in 1 series")
        seen_well(draft)
        assert "node_load1{" in draft.inner_text("table")
        assert person.everything("/api/model-groups/") == []

        page.click("button[name=_save]")
        page.wait_for_selector("text=web-load")
        [group] = person.everything("/api/model-groups/")
        active(person, group["id"])
        machine.broken = True
        until(lambda: scores(person, "anomaly_score").get("anomaly_score", 0) > 1, 60, "a score above 1")
        page.goto(f"http://127.0.0.1:{up.port}/admin/ml/modelgroup/{group['id']}/preview/?hours=1")
        seen_well(page)
        keep(page, pictures, "anomaly-plot")
        preview_a_rule(up, person, page)
        for path in ("modelgroup", "modelversion", "seenanomaly", f"modelgroup/{group['id']}/change"):
            assert page.goto(f"http://127.0.0.1:{up.port}/admin/ml/{path}/").status == 200


def preview_a_rule(up, person: Person, page) -> None:
    """The form of rules offers the group, its threshold and how long, and shows what the rule would find."""
    group = person.call("POST", "/api/rule-groups/", json={"name": "strange", "interval": "15s"})["id"]
    page.goto(f"http://127.0.0.1:{up.port}/admin/rules/rule/add/")
    page.select_option("select[name=group]", group)
    page.fill("input[name=name]", "StrangeLoad")
    page.select_option("select[name=anomaly_model_group]", "web-load")
    page.fill("input[name=anomaly_threshold]", "2")
    page.fill("input[name=hold_for_s]", "15")
    with page.context.expect_page() as opened:
        page.click("text=Preview the anomaly without saving")
    draft = opened.value
    draft.fill("input[name=hours]", "1")
    draft.click("button:has-text('Preview')")
    draft.wait_for_selector("text=scores above")
    seen_well(draft)
    assert person.everything("/api/rules/", group=group) == []
    page.click("button[name=_save]")
    page.wait_for_selector("text=StrangeLoad")
    (rule,) = person.everything("/api/rules/", group=group)
    assert rule["expr"] == 'anomaly_score{model_group="web-load"} > 2'


def seen_well(page) -> None:
    """Both plots are drawn: the values with their band, and the scores."""
    sizes = page.eval_on_selector_all("img[src^=data]", "all => all.map(one => one.naturalWidth)")
    assert len(sizes) == 2
    assert min(sizes) > 0


def keep(page, directory: Path | None, name: str) -> None:
    if directory:
        page.locator("#content-main").screenshot(path=str(directory / f"{name}.png"))


def test_a_group_is_operated_by_rest(scene):
    _, person, _ = scene
    now_ms = SystemClock().now_ms()
    span = {"start": to_datetime(now_ms - 3_600_000).isoformat(), "end": to_datetime(now_ms).isoformat()}
    body = {"name": "load", "selector": 'node_load1{instance="web-1"}', "detector": "ewma", **TERMS}
    previewed = person.call("POST", "/api/model-groups/preview/", json=body | span)
    assert previewed["event_count"] >= 1
    assert all(plot.startswith("<svg") for plot in previewed["plots"])

    group = make_models(person, detector="ewma")["id"]
    active(person, group)
    person.call("POST", f"/api/model-groups/{group}/train/")

    def versions():
        return person.everything("/api/model-versions/", group=group)

    until(lambda: len(versions()) == 2, 60, "a second version")
    newest, first = versions()
    assert newest["parent"] == first["id"]
    by_id = {"champion": newest["id"], "retired": first["id"]}  # as they are at first
    if newest["status"] == "challenger":  # it flagged much of held-back time: then a person decides
        person.call("POST", f"/api/model-versions/{newest['id']}/promote/")

    def act(version: str, name: str) -> dict[str, str]:
        person.call("POST", f"/api/model-versions/{by_id[version]}/{name}/")
        return {one["id"]: one["status"] for one in versions()}

    first_id, second_id = first["id"], newest["id"]
    assert act("retired", "shadow") == {first_id: "challenger", second_id: "champion"}
    until(lambda: scores(person, "anomaly_score_shadow"), 60, "a score of the challenger")
    assert act("retired", "promote") == {first_id: "champion", second_id: "retired"}
    assert act("champion", "promote") == {first_id: "retired", second_id: "champion"}
    assert act("champion", "rollback") == {first_id: "champion", second_id: "retired"}
    told = person.call("GET", f"/api/model-groups/{group}/explain/")
    assert told["version"]["number"] == 1
    assert told["series"][0]["reasons"][0]["feature"]
    assert act("retired", "retire") == {first_id: "retired", second_id: "retired"}
    fallback = until(
        lambda: (row := person.call("GET", f"/api/model-groups/{group}/"))["state"] == "fallback" and row,
        60,
        "the robust detector",
    )
    assert "no model was learned yet" in fallback["state_reason"]


def test_a_fault_of_a_host_is_scored_fires_and_is_explained_to_people(scene):
    _, person, machine = scene
    desk = Desk()
    make_route(person, make_receiver(person, "desk", desk))
    selector = 'node_memory_MemAvailable_bytes{instance="web-1"}'
    models = make_models(person, name="memory", selector=selector, direction="down")
    active(person, models["id"])
    group = person.call("POST", "/api/rule-groups/", json={"name": "strange", "interval": "5s"})["id"]
    condition = {"type": "anomaly", "model_group": "memory"}
    draft = {"group": group, "name": "StrangeMemory", "condition": condition, "for": "10s"}
    person.call("POST", "/api/rules/", json=draft)
    machine.broken = True

    def alerts():
        return [
            one
            for message in desk.notifications
            for one in message["alerts"]
            if one["labels"]["alertname"] == "StrangeMemory"
        ]

    told = until(alerts, 120, "the alert")[0]
    desk.close()
    explanation = told["annotations"]["explanation"]
    assert 'node_memory_MemAvailable_bytes{instance="web-1", job="node"} is ' in explanation
    assert "expected" in explanation
    assert "times the usual bound" in explanation
    assert "version 1, learned from" in explanation
    (alert,) = person.everything("/api/alerts/", label="alertname:StrangeMemory")
    story = person.call("GET", f"/api/alerts/{alert['id']}/trace/")
    assert any(entry["kind"] == "explained" for entry in story["entries"])
