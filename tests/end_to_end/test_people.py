"""People told by real processes: escalations and reports outlive the workers that are killed."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pypdf import PdfReader

from alertsite.core.clock import SystemClock, to_datetime
from tests.end_to_end.browser import browsing
from tests.end_to_end.client import Person
from tests.fakes.smtp_server import smtp_server

pytestmark = pytest.mark.slow

STEP_S = 12
FIRED, RESOLVED = 7, 3
YESTERDAY = """
from datetime import timedelta
from django.db.models import F
from alertsite.tenancy.scope import platform_scope
from rules.models import AlertTransition
day = timedelta(days=1)
with platform_scope():
    AlertTransition.across_tenants.update(at=F("at") - day, fired_at=F("fired_at") - day)
"""


class Desk:
    """A webhook's other side that keeps every notification."""

    def __init__(self) -> None:
        self.notifications = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                desk.notifications.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def escalated(self):
        return [one for one in self.notifications if one["reason"] == "escalation"]


@pytest.fixture
def desks():
    made = [Desk(), Desk(), Desk()]
    yield made
    for desk in made:
        desk.close()


def until(claim, within_s: float, what: str):
    """What `claim` returns once it is true."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = claim()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {within_s} s")


def make_receiver(person: Person, name: str, desk: Desk) -> str:
    body = {"name": name, "kind": "webhook", "config": {"url": desk.url}}
    return person.call("POST", "/api/receivers/", json=body)["id"]


def post_alerts(person: Person, *alerts) -> None:
    person.call("POST", "/alertmanager/api/v2/alerts", json=list(alerts))


def alert(number: int, **fields):
    return {"labels": {"alertname": "Down", "severity": "critical", "n": str(number)}, **fields}


def make_route(person: Person, receiver: str, **fields) -> None:
    root = {"receiver": receiver, "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
    person.call("POST", "/api/routes/", json=root | fields)


def test_an_escalation_outlives_its_workers_and_ends_with_an_answer(start, desks, pytestconfig):
    everyone, first, second = desks
    up = start(ALLOW_PRIVATE_WEBHOOKS="true")
    up.wait_until_up()
    person = Person(up.port, up.output)
    names = {"ann": first, "bob": second}
    people = {}
    for name, desk in names.items():
        receivers = [make_receiver(person, name, desk)]
        people[name] = person.call("POST", "/api/people/", json={"name": name, "receivers": receivers})["id"]
    steps = [
        {"after": f"{STEP_S * wait}s", "tell": [{"person": people[name]}]}
        for wait, name in [(0, "ann"), (1, "bob"), (1, "ann")]
    ]
    policy = person.call("POST", "/api/escalation-policies/", json={"name": "night", "steps": steps})["id"]
    make_route(person, make_receiver(person, "everyone", everyone), escalation_policy=policy)
    tested = person.call("GET", "/api/receivers/")["results"][0]["id"]
    receipt = person.call("POST", f"/api/receivers/{tested}/test/")
    delivery = f"/api/deliveries/{receipt['message']}/"
    until(lambda: person.call("GET", delivery)["status"] == "delivered", 30, "the receipt of a test")

    post_alerts(person, alert(1, endsAt="2099-01-01T00:00:00Z"))
    until(first.escalated, 30, "the first step")
    processes = up.running()[0]
    for name in ("notify", "beat"):
        processes[name].kill()
    up.lines_until("notify healthy")
    (told,) = until(second.escalated, STEP_S + 60, "the second step, after the workers were killed")
    link = re.sub(r"^https?://[^/]+", f"http://127.0.0.1:{up.port}", told["actions"]["acknowledge"])
    assert httpx.post(link).status_code == 200
    time.sleep(STEP_S + 5)
    assert (len(first.escalated()), len(second.escalated())) == (1, 1)
    (escalation,) = person.everything("/api/escalations/")
    assert escalation["status"] == "acknowledged"
    (fired,) = person.everything("/api/alerts/", label="n:1")
    draw(up, person, fired["id"], pytestconfig.getoption("--pictures"))
    person.close()


def test_a_report_arrives_though_its_worker_is_killed(start, desks):
    with smtp_server() as mailbox:
        up = start(
            ALLOW_PRIVATE_WEBHOOKS="true",
            SMTP_HOST="127.0.0.1",
            SMTP_PORT=str(mailbox.port),
            SMTP_SENDER="alerts@example.org",
        )
        up.wait_until_up()
        person = Person(up.port, up.output)
        make_route(person, make_receiver(person, "desk", desks[0]))
        post_alerts(person, *(alert(number, endsAt="2099-01-01T00:00:00Z") for number in range(FIRED)))
        until(lambda: len(desks[0].notifications) == FIRED, 60, "every alert")
        over = to_datetime(SystemClock().now_ms() - 1_000).isoformat()
        post_alerts(person, *(alert(number, endsAt=over) for number in range(RESOLVED)))
        until(lambda: len(desks[0].notifications) == FIRED + RESOLVED, 60, "every end")
        up.manage("shell", "-c", YESTERDAY)
        body = {
            "name": "Digest",
            "kind": "operations_daily",
            "crontab": "* * * * *",
            "timezone": "UTC",
            "recipients": ["ops@example.org"],
        }
        person.call("POST", "/api/report-schedules/", json=body)
        until(lambda: person.everything("/api/reports/"), 150, "a report that is due")
        up.running()[0]["upkeep"].kill()
        up.lines_until("upkeep healthy")
        mail = until(lambda: mailbox.messages, 420, "the mail, after the claim of the killed worker ends,")[0]
        (listed,) = person.everything("/api/reports/")
        facts = person.call("GET", f"/api/reports/{listed['id']}/")["facts"]["now"]
        assert (facts["fired"], facts["resolved"]) == (FIRED, RESOLVED)
        (pdf,) = [part for part in mail.iter_attachments() if part.get_content_type() == "application/pdf"]
        text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.get_content())).pages)
        assert re.search(rf"\b{FIRED}\b", text)
        assert "Digest" in text
        time.sleep(65)  # its crontab comes due again: a period is told once
        assert len(mailbox.messages) == 1
        person.close()


def draw(up, person: Person, alert_id: str, directory: Path | None) -> None:
    """The pictures of docs/notifications.md, where a browser is there; kept if a directory is given."""
    message = next(one for one in person.everything("/api/deliveries/") if one["reason"] == "escalation")
    pages = {
        "alert-trace": f"/admin/rules/alertinstance/{alert_id}/change/",
        "escalation-message": f"/admin/rules/outboxmessage/{message['id']}/change/",
    }
    with browsing(up) as page:
        for name, path in pages.items():
            answer = page.goto(f"http://127.0.0.1:{up.port}{path}")
            assert answer.status == 200, path
            if directory:
                page.screenshot(path=str(directory / f"{name}.png"))
