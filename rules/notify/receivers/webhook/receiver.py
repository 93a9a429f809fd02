"""Notifications as JSON by HTTP POST."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from rules.notify.gotemplate.numbers import floating
from rules.notify.notification import (
    AlertNotice,
    Channel,
    DeliveryFailed,
    DeliveryRefused,
    Notification,
    Receipt,
)
from rules.notify.posting import Answer, Poster
from rules.notify.receivers.webhook.config import WebhookConfig, WebhookSecrets

PAYLOAD_VERSION = "4"
"""Of Alertmanager's document."""
ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time: what an alert that has not ended ends at."""
RETRYABLE_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class WebhookKind:
    """`webhook`: posts to a URL of the user's."""

    poster: Poster

    name: ClassVar[str] = "webhook"
    config: ClassVar = WebhookConfig
    secrets: ClassVar = WebhookSecrets

    def open(self, config: WebhookConfig, secrets: WebhookSecrets) -> Channel:
        """A channel to one URL."""
        return WebhookChannel(self.poster, config, secrets)


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """Sends to one URL. Headers carry the idempotency key and, with a signing key, an HMAC of the body."""

    poster: Poster
    config: WebhookConfig
    secrets: WebhookSecrets

    def send(self, notification: Notification) -> Receipt:
        """Post once. A receipt is an answer of 2xx that came whole."""
        body = payload_of(notification)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": notification.idempotency_key,
            "User-Agent": "alertsite",
        }
        if self.secrets.signing_key:
            headers["X-Alertsite-Signature"] = "sha256=" + sign(body, self.secrets.signing_key)
        url = str(self.config.url)
        return _judge(self.poster.post(url, body, headers, timeout_s=self.config.timeout_s))


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


def _judge(answer: Answer) -> Receipt:
    status = answer.status
    if 200 <= status < 300:
        return Receipt(f"HTTP {status}")
    if status >= 500 or status in RETRYABLE_STATUSES:
        raise DeliveryFailed(f"HTTP {status}", retry_after_s=_retry_after(answer))
    reason = "a redirect, which is not followed" if 300 <= status < 400 else "refused"
    raise DeliveryRefused(f"HTTP {status}: {reason}")


def _retry_after(answer: Answer) -> float | None:
    """Seconds the other side asks for. Its date form is rare and ignored: the backoff serves."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
