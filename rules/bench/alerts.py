"""Measuring the way of alerts: taken through Alertmanager's API, delivered to a webhook, listed, handled.

Web, worker and receiver are processes and threads of the bench's own; the sender's work is not counted.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx
import psutil
from django.db import connection

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.tenancy.models import Tenant
from alertsite.tenancy.scope import tenant_scope
from alertsite.tenancy.services import create_api_key, create_tenant
from rules.bench.accounting import Meter
from rules.bench.web import BenchFailed, cpu_s, web, worker
from rules.models import Receiver, Route
from rules.services import receivers, routes
from rules.services.authoring import Author
from rules.services.stores import redis_client

BATCH: Final = 64
LIVED: Final = 32 * BATCH
"""Alerts that the database has taken before it is measured: of empty tables it knows nothing."""
RATE: Final = 100
SENDERS: Final = 8
WARM_S: Final = 5
STORM: Final = 50_000
PATH: Final = "/alertmanager/api/v2/alerts"
FAR: Final = "2099-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Taken:
    """Figures of taking alerts."""

    alerts: int
    alerts_per_cpu_s: float
    web_cpu_s: float
    postgres_cpu_s: float
    redis_cpu_s: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """How long it takes from post to webhook. Milliseconds."""

    alerts: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What it costs to look at and handle alerts when so many are active."""

    active: int
    page_ms: float
    filtered_page_ms: float
    acknowledge_10k_s: float
    silence_s: float
    web_mb: float
    web_private_mb: float
    """Without the libraries that processes share."""


class Sink:
    """A webhook receiver that remembers when each alert arrived."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Remember when each alert arrived."""
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                now = time.perf_counter()
                for alert in document["alerts"]:
                    sink.arrived.setdefault(alert["labels"]["n"], now)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait_for(self, names: Sequence[str], within_s: float) -> None:
        """Until every alert arrived.

        Raises
        ------
        BenchFailed
            If some have not.
        """
        deadline = time.monotonic() + within_s
        while not self.arrived.keys() >= set(names):
            if time.monotonic() > deadline:
                missing = len(set(names) - self.arrived.keys())
                raise BenchFailed(f"{missing} of {len(names)} alerts did not arrive within {within_s:.0f} s")
            time.sleep(0.02)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


@dataclass(slots=True)
class Scene:
    """A tenant with a webhook receiver and a client that acts for it."""

    tenant: Tenant
    client: httpx.Client
    sink: Sink = field(default_factory=Sink)

    def send(self, names: Sequence[str]) -> None:
        """Post alerts, in batches."""
        for start in range(0, len(names), BATCH):
            posted(self.client, names[start : start + BATCH])


def posted(client: httpx.Client, names: Sequence[str]) -> None:
    """Post one batch of alerts."""
    body = [
        {"labels": {"alertname": "Bench", "n": name, "team": f"t{len(name)}"}, "endsAt": FAR}
        for name in names
    ]
    answer = client.post(PATH, json=body)
    if answer.status_code != 200:
        raise BenchFailed(f"{PATH} answered {answer.status_code}: {answer.text[:200]}")


@contextmanager
def scene(url: str, *, group_by: list[str]) -> Iterator[Scene]:
    """A new tenant whose alerts go to a webhook at once."""
    author = Author("bench", to_datetime(SystemClock().now_ms()))
    tenant = create_tenant(f"alerts-{SystemClock().now_ms()}", "alerts bench")
    secret = create_api_key("bench", tenant=tenant).secret
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        made = Scene(tenant, client)
        with tenant_scope(tenant.pk):
            receiver = Receiver(tenant=tenant, name="sink", kind="webhook", config={"url": made.sink.url})
            receivers.save_receiver(receiver, author)
            root = Route(
                tenant=tenant, receiver=receiver, group_by=group_by, group_wait_s=0, group_interval_s=300
            )
            routes.save(root, author)
        try:
            yield made
        finally:
            made.sink.close()


def measure_intake(count: int) -> Taken:
    """Take `count` new alerts in batches of 64, everything committed; nothing is flushed meanwhile."""
    names = [f"i{number}" for number in range(LIVED + count)]
    with web() as (url, process), scene(url, group_by=["alertname"]) as made:
        made.send(names[:LIVED])
        _analyse()
        meter = Meter(redis_client())
        before, web_before = meter.read(), cpu_s(process)
        made.send(names[LIVED:])
        spent, web_s = meter.read() - before, cpu_s(process) - web_before
    return Taken(count, count / (web_s + spent.postgres + spent.redis), web_s, spent.postgres, spent.redis)


def measure_delivery(seconds: int, *, storm: int = 0) -> Delivered:
    """Post `RATE` alerts a second one by one and time them to the webhook; with a storm beside them.

    What has lived has its threads, connections, statements and statistics: some seconds go before.
    """
    with ExitStack() as stack:
        url, _ = stack.enter_context(web())
        stack.enter_context(worker("notify", 8))
        quiet = stack.enter_context(scene(url, group_by=["..."]))
        _wake_up(quiet)
        lived = _at_rate(quiet, WARM_S, "w")
        quiet.sink.wait_for(list(lived), 120)
        _analyse()
        if storm:
            stormy = stack.enter_context(scene(url, group_by=["..."]))
            sender = threading.Thread(
                target=stormy.send, args=([f"s{n}" for n in range(storm)],), daemon=True
            )
            sender.start()
        sent = _at_rate(quiet, seconds, "q")
        quiet.sink.wait_for(list(sent), 120)
        waits = sorted((quiet.sink.arrived[name] - at) * 1000 for name, at in sent.items())
    return Delivered(len(waits), waits[len(waits) // 2], waits[int(len(waits) * 0.99)])


def _analyse() -> None:
    """A database that has lived knows its tables."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _wake_up(made: Scene) -> None:
    """Until alerts get through: what is sent before the worker listens waits for a beat that is not here."""
    for number in range(60):
        made.send([f"warm{number}"])
        time.sleep(1)
        if made.sink.arrived:
            return
    raise BenchFailed("no alert arrived within a minute")


def _at_rate(made: Scene, seconds: int, name: str) -> dict[str, float]:
    """Post alerts one by one at `RATE`, whether or not the ones before were answered. When each was sent."""
    sent: dict[str, float] = {}

    def send(alert: str) -> None:
        sent[alert] = time.perf_counter()
        posted(made.client, [alert])

    began = time.perf_counter()
    with ThreadPoolExecutor(SENDERS) as senders:
        posts = []
        for number in range(seconds * RATE):
            pause_s = began + number / RATE - time.perf_counter()
            if pause_s > 0:
                time.sleep(pause_s)
            posts.append(senders.submit(send, f"{name}{number}"))
        for post in posts:
            post.result()
    return sent


def measure_standing(active: int) -> Standing:
    """List, acknowledge and silence while `active` alerts fire."""
    with web() as (url, process), scene(url, group_by=["alertname"]) as made:
        made.send([f"a{number}" for number in range(active)])
        client = made.client
        page_s = _timed(lambda: client.get("/api/alerts/"))
        filtered_s = _timed(lambda: client.get("/api/alerts/?label=n:a7"))
        ids = _ids(made, min(10_000, active))
        bulk = {"action": "acknowledge", "alerts": ids}
        acknowledge_s = _once(lambda: client.post("/api/alerts/bulk/", json=bulk))
        silence = {
            "matchers": [{"name": "alertname", "value": "Bench", "isRegex": False}],
            "startsAt": to_datetime(SystemClock().now_ms()).isoformat(),
            "endsAt": FAR,
            "comment": "bench",
            "createdBy": "bench",
        }
        silence_s = _once(lambda: client.post("/alertmanager/api/v2/silences", json=silence))
        memory = psutil.Process(process.pid).memory_full_info()
    handled = (page_s * 1000, filtered_s * 1000, acknowledge_s, silence_s)
    return Standing(active, *handled, memory.rss / 1e6, memory.uss / 1e6)


def _ids(made: Scene, count: int) -> list[str]:
    found: list[str] = []
    url: str | None = "/api/alerts/?limit=1000"
    while url and len(found) < count:
        page = made.client.get(url).json()
        found += [row["id"] for row in page["results"]]
        url = page["next"]
    return found[:count]


def _timed(ask: Callable[[], Any]) -> float:
    """Median of several."""
    return sorted(_once(ask) for _ in range(9))[4]


def _once(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    answer = ask()
    if answer.status_code >= 300:
        raise BenchFailed(f"{answer.request.url} answered {answer.status_code}: {answer.text[:200]}")
    return time.perf_counter() - began
