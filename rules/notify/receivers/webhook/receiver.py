"""Notifications as JSON by HTTP POST."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from rules.notify.gotemplate.numbers import floating
from rules.notify.notification import Channel, DeliveryFailed, DeliveryRefused, Notification, Receipt
from rules.notify.posting import Answer, Poster
from rules.notify.receivers.webhook.config import WebhookConfig, WebhookSecrets

PAYLOAD_VERSION = "1"
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
    """The body: the notification as JSON with sorted keys, so that a signature can be checked anywhere."""
    document: dict[str, Any] = {"version": PAYLOAD_VERSION, **asdict(notification)}
    if notification.value is not None and not math.isfinite(notification.value):
        document["value"] = floating(notification.value)  # JSON has no such number
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


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
