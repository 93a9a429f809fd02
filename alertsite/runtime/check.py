"""`manage.py up --check`: one alert, followed from this machine's metrics to a webhook by public faces alone.

In: a running cluster's REST address, a person's credentials, an inbox. Out: when each step was reached.
Refused, with the reason: a step that is not reached in time.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import httpx

from alertsite.core.errors import PlatformError
from alertsite.runtime.inbox import Inbox

WITHIN_S: Final = 120.0
EVERY_S: Final = 0.2
MARK: Final = "up-check-"

INTERVAL: Final = "1s"
SAMPLES_EXPR: Final = 'count({job="node"}) > 0'
CONDITION_EXPR: Final = "node_load1 >= 0"
CONDITION_FOR: Final = "3s"


class CheckFailed(PlatformError):
    """The path from metric to notification is broken at one step."""

    code: ClassVar[str] = "runtime.check_failed"


class NotYet(PlatformError):
    """A step is not reached; the message says what is missing."""

    code: ClassVar[str] = "runtime.not_yet"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to wait for. `ask` returns what was seen, or raises `NotYet`."""

    name: str
    ask: Callable[[], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Reached:
    """A step, when it was reached, and how long after the step before."""

    name: str
    seen: str
    after_s: float
    step_s: float


async def walk(
    steps: Sequence[Step], *, within_s: float, now_s: Callable[[], float]
) -> AsyncIterator[Reached]:
    """Wait for each step in turn and yield it when it is reached.

    Raises
    ------
    CheckFailed
        If `within_s` pass before the last step; names the step and what is missing.
    """
    began = before = now_s()
    for step in steps:
        while True:
            try:
                seen = await step.ask()
                break
            except (NotYet, httpx.TransportError) as missing:
                if now_s() - began > within_s:
                    raise CheckFailed(f"not within {within_s:g} s: {step.name} ({missing})") from None
            await asyncio.sleep(EVERY_S)
        now = now_s()
        yield Reached(step.name, seen, now - began, now - before)
        before = now


class Rest:
    """The REST interface as one person of one tenant."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, tenant: str) -> None:
        self._client = client
        self._base_url = base_url
        self._headers = {"X-Scope-OrgID": tenant}

    async def sign_in(self, username: str, password: str) -> None:
        """Get a JWT and use it from now on."""
        answer = await self.send("POST", "/api/token/", {"username": username, "password": password})
        self._headers["Authorization"] = f"Bearer {answer['access']}"

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON; `CheckFailed` with the answer's own words where it refuses."""
        url = f"{self._base_url}{path}"
        answer = await self._client.request(method, url, json=body, headers=self._headers)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise CheckFailed(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    async def rows(self, path: str) -> list[dict[str, Any]]:
        """The first page of a list."""
        page = await self.send("GET", path)
        found: list[dict[str, Any]] = page["results"]
        return found


@dataclass(frozen=True, slots=True)
class Scene:
    """What the check made: two rules and a receiver, under names of its own."""

    samples_rule: str
    condition_rule: str
    alert_name: str


@asynccontextmanager
async def set_scene(rest: Rest, inbox: Inbox) -> AsyncIterator[Scene]:
    """Make rules and receiver, and remove them afterwards; first remove what an interrupted check left."""
    await clear_scene(rest)
    mark = MARK + secrets.token_hex(4)
    receiver = {"name": mark, "kind": "webhook", "config": {"url": inbox.url}}
    await rest.send("POST", "/api/receivers/", receiver)
    group = await rest.send("POST", "/api/rule-groups/", {"name": mark, "interval": INTERVAL})
    samples = {"group": group["id"], "name": f"{mark}-samples", "expr": SAMPLES_EXPR, "severity": "info"}
    condition = samples | {"name": mark, "expr": CONDITION_EXPR, "for": CONDITION_FOR}
    try:
        yield Scene(
            samples_rule=(await rest.send("POST", "/api/rules/", samples))["id"],
            condition_rule=(await rest.send("POST", "/api/rules/", condition))["id"],
            alert_name=mark,
        )
    finally:
        await clear_scene(rest)


async def clear_scene(rest: Rest) -> None:
    """Remove what checks made, rules before their receiver."""
    for kind in ("rule-groups", "receivers"):
        for row in await rest.rows(f"/api/{kind}/"):
            if row["name"].startswith(MARK):
                await rest.send("DELETE", f"/api/{kind}/{row['id']}/")


def steps_of(rest: Rest, inbox: Inbox, scene: Scene) -> list[Step]:
    """From metric to notification, in the order in which they happen."""

    async def samples_stored() -> str:
        change = await change_to(rest, scene.samples_rule, "firing")
        return f"{change['value']:g} series of this machine"

    async def pending() -> str:
        return f"at {(await change_to(rest, scene.condition_rule, 'pending'))['at']}"

    async def firing() -> str:
        return f"at {(await change_to(rest, scene.condition_rule, 'firing'))['at']}"

    async def delivered() -> str:
        """Where the notification of this alert arrived."""
        for document in inbox.arrived():
            names = [alert["labels"].get("alertname") for alert in document.get("alerts", [])]
            if document.get("status") == "firing" and scene.alert_name in names:
                return f"at {inbox.url}"
        raise NotYet(f"{len(inbox.arrived())} notifications arrived, none of this alert")

    async def visible() -> str:
        alerts = await rest.rows(f"/api/alerts/?rule={scene.condition_rule}")
        if not any(alert["state"] == "firing" for alert in alerts):
            raise NotYet(f"{len(alerts)} alerts of the rule, none firing")
        return f"/api/alerts/{alerts[0]['id']}/"

    return [
        Step("host samples stored", samples_stored),
        Step(f"rule {CONDITION_EXPR} pending", pending),
        Step(f"rule firing (for: {CONDITION_FOR})", firing),
        Step("notification delivered to a webhook", delivered),
        Step("alert visible in REST", visible),
    ]


async def change_to(rest: Rest, rule: str, state: str) -> dict[str, Any]:
    """The rule's transition to a state."""
    changes = await rest.rows(f"/api/transitions/?rule={rule}&state={state}")
    if not changes:
        health = await rest.send("GET", f"/api/rules/{rule}/")
        raise NotYet(json.dumps({name: health[name] for name in ("health", "last_error")}))
    return changes[-1]


def timeline_row(reached: Reached) -> str:
    """One line of the timeline."""
    return f"{reached.after_s:8.2f} s  (+{reached.step_s:.2f} s)  {reached.name}: {reached.seen}"
