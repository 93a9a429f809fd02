"""Rules, routing and a silence of one's own, by REST.

Run it while `make up` is running, with the operator's password:

    .venv/bin/python examples/custom-rules.py http://127.0.0.1:8000 operator PASSWORD demo

It makes a rule, routes critical alerts apart from the others, tries it with another `for` over the last hour,
silences one instance every Saturday night, and prints why the last alert was or was not told.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

RULE = {
    "name": "CustomMemoryInUse",
    "expr": "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes > 0",
    "for": "0s",
    "severity": "critical",
    "annotations": {"summary": "{{ $labels.instance }} uses {{ $value | humanize1024 }}B"},
}


class Site:
    """A signed-in person who acts for one tenant."""

    def __init__(self, url: str, name: str, password: str, tenant: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        token = self.call("POST", "/api/token/", {"username": name, "password": password})["access"]
        self._http.headers.update({"Authorization": f"Bearer {token}", "X-Scope-OrgID": tenant})

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of an answer; what was refused, and why, is raised."""
        answer = self._http.request(method, path, json=body)
        if answer.status_code >= 400:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None


def named(site: Site, path: str, name: str) -> dict[str, Any] | None:
    """The row of a list that has this name."""
    return next((row for row in site.call("GET", path)["results"] if row["name"] == name), None)


def main(url: str, name: str, password: str, tenant: str) -> None:
    """Set everything up and tell the story of the last alert."""
    site = Site(url, name, password, tenant)
    group = named(site, "/api/rule-groups/", "custom") or site.call(
        "POST", "/api/rule-groups/", {"name": "custom", "interval": "15s"}
    )
    rule = site.call("POST", "/api/rules/", RULE | {"group": group["id"]})
    print("rule:", rule["name"], "warnings:", len(rule["warnings"]))

    log = named(site, "/api/receivers/", "custom log") or site.call(
        "POST", "/api/receivers/", {"name": "custom log", "kind": "log"}
    )
    routes = site.call("GET", "/api/routes/")["results"]
    root = next((route for route in routes if route["parent"] is None), None)
    if root is None:
        timers = {"group_wait": "0s", "group_interval": "1m"}
        root = site.call("POST", "/api/routes/", {"receiver": log["id"], "group_by": ["alertname"], **timers})
    critical = {"parent": root["id"], "matchers": ['severity="critical"'], "receiver": log["id"]}
    print("route:", site.call("POST", "/api/routes/", critical)["matchers"])

    now = datetime.now(UTC)  # noqa: TID251 (a script of its own has no clock to be given)
    trial = {
        "rule": rule["id"],
        "draft": {"for": "5m"},
        "start": (now - timedelta(hours=1)).isoformat(),
        "end": now.isoformat(),
    }
    print("back-test:", sorted(site.call("POST", "/api/rules/backtest/", trial)))

    silence = {
        "matchers": ['instance="nowhere"'],
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=90)).isoformat(),
        "recurrence": "FREQ=WEEKLY;BYDAY=SA;BYHOUR=22;BYMINUTE=0",
        "duration_s": 7200,
        "timezone": "Europe/Paris",
        "comment": "backups",
    }
    print("silence:", site.call("POST", "/api/silences/", silence)["author"])

    alerts = site.call("GET", "/api/alerts/")["results"]
    for alert in alerts[:1]:
        print("story:", site.call("GET", f"/api/alerts/{alert['id']}/trace/")["verdict"])


if __name__ == "__main__":
    main(*sys.argv[1:5])
