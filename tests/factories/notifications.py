"""A notification with everything in it."""

from __future__ import annotations

from typing import Any

from rules.notify.notification import AlertNotice, Notification


def make_notice(**values: Any) -> AlertNotice:
    values = {
        "alert_id": "a-1",
        "state": "firing",
        "labels": {"alertname": "HostDown", "instance": "db1:9100"},
        "annotations": {"summary": "db1 is down, «really»"},
        "value": 0.5,
        "starts_at": "2026-03-01T12:00:00+00:00",
        "at": "2026-03-01T12:00:00+00:00",
        "late_by_s": 0.25,
        "url": "https://alerts.example/alerts/a-1",
        "fingerprint": "00000000000000ff",
    } | values
    return AlertNotice(**values)


def make_notification(**values: Any) -> Notification:
    """What no argument of a notification names goes to its one alert."""
    of_alert = {name: values.pop(name) for name in list(values) if name in AlertNotice.__slots__}
    values = {
        "idempotency_key": "group-1:1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "tenant": "acme",
        "receiver": "ops",
        "group_key": '{}:{alertname="HostDown"}',
        "generation": 1,
        "reason": "new_alerts",
        "group_labels": {"alertname": "HostDown"},
        "alerts": (make_notice(**of_alert),),
        "url": "https://alerts.example/groups/1",
    } | values
    return Notification(**values)
