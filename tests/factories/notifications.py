"""A notification with everything in it."""

from __future__ import annotations

from typing import Any

from rules.notify.notification import Notification


def make_notification(**values: Any) -> Notification:
    values = {
        "idempotency_key": "transition-1:receiver-1",
        "tenant": "acme",
        "state": "firing",
        "alert_id": "a-1",
        "labels": {"alertname": "HostDown", "instance": "db1:9100"},
        "annotations": {"summary": "db1 is down, «really»"},
        "value": 0.5,
        "at": "2026-03-01T12:00:00+00:00",
        "late_by_s": 0.25,
        "url": "https://alerts.example/alerts/a-1",
    } | values
    return Notification(**values)
