"""Notifications as JSON by HTTP POST."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from rules.notify.gotemplate.numbers import floating
from rules.notify.notification import AlertNotice, Channel, Notification
from rules.notify.posting import Poster
from rules.notify.receivers.webhook.config import WebhookConfig, WebhookSecrets
from rules.notify.requesting import HttpChannel, Outgoing

PAYLOAD_VERSION = "4"
"""Of Alertmanager's document."""
ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time: what an alert that has not ended ends at."""
SIGNATURE = "X-Alertsite-Signature"


@dataclass(frozen=True, slots=True)
class WebhookKind:
    """`webhook`: posts to a URL of the user's."""

    poster: Poster

    name: ClassVar[str] = "webhook"
    config: ClassVar = WebhookConfig
    secrets: ClassVar = WebhookSecrets

    def open(self, config: WebhookConfig, secrets: WebhookSecrets) -> Channel:
        """A channel to one URL."""
        compose = partial(outgoing, str(config.url))
        return HttpChannel(self.poster, secrets, compose, timeout_s=config.timeout_s)


def outgoing(url: str, notification: Notification, secrets: WebhookSecrets) -> Outgoing:
    """The request of a notification: with a signing key, an HMAC of the body goes with it."""
    body = payload_of(notification)
    key = secrets.signing_key
    return Outgoing(url, body, headers={SIGNATURE: "sha256=" + sign(body, key)} if key else {})


def payload_of(notification: Notification) -> bytes:
    """The body: Alertmanager's webhook document with our own fields beside, its keys sorted, so that a
    signature can be checked anywhere.
    """
    document: dict[str, Any] = {
        "version": PAYLOAD_VERSION,
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated,
        "status": notification.state,
        "receiver": notification.receiver,
        "groupLabels": dict(notification.group_labels),
        "commonLabels": notification.common_labels,
        "commonAnnotations": notification.common_annotations,
        "externalURL": notification.url,
        "alerts": [_alert(alert) for alert in notification.alerts],
        "idempotencyKey": notification.idempotency_key,
        "traceId": notification.trace_id,
        "tenant": notification.tenant,
        "generation": notification.generation,
        "reason": notification.reason,
        "actions": dict(notification.actions),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _alert(alert: AlertNotice) -> dict[str, Any]:
    value: float | str | None = alert.value
    if alert.value is not None and not math.isfinite(alert.value):
        value = floating(alert.value)  # JSON has no such number
    return {
        "status": alert.state,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at or ZERO_TIME,
        "generatorURL": alert.url,
        "fingerprint": alert.fingerprint,
        "alertId": alert.alert_id,
        "value": value,
        "at": alert.at,
        "lateBySeconds": alert.late_by_s,
    }


def sign(body: bytes, key: str) -> str:
    """Hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
