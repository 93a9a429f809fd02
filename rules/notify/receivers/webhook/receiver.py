"""A signed JSON POST."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import httpx

from rules.notify.addresses import Resolver, checked_address
from rules.notify.notification import Channel, DeliveryFailed, DeliveryRefused, Notification, Receipt
from rules.notify.receivers.webhook.config import WebhookConfig, WebhookSecrets

PAYLOAD_VERSION = "1"
RETRYABLE_STATUSES = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class WebhookKind:
    """`webhook`: posts to a URL of the user's, to public addresses only unless told otherwise."""

    client: httpx.Client
    resolver: Resolver
    allow_private: bool

    name: ClassVar[str] = "webhook"
    config: ClassVar = WebhookConfig
    secrets: ClassVar = WebhookSecrets

    def open(self, config: WebhookConfig, secrets: WebhookSecrets) -> Channel:
        """A channel to one URL."""
        return WebhookChannel(self, config, secrets)


@dataclass(frozen=True, slots=True)
class WebhookChannel:
    """Sends to one URL. Headers carry the idempotency key and, with a signing key, an HMAC-SHA256 of the
    body.
    """

    kind: WebhookKind
    config: WebhookConfig
    secrets: WebhookSecrets

    def send(self, notification: Notification) -> Receipt:
        """Post once. Redirects are not followed: they could lead to a private address."""
        body = payload_of(notification)
        try:
            response = self.kind.client.send(self._request(notification, body), follow_redirects=False)
        except httpx.TimeoutException:
            raise DeliveryFailed(f"no answer within {self.config.timeout_s} s") from None
        except httpx.HTTPError as error:
            raise DeliveryFailed(f"{type(error).__name__}: {error}"[:300]) from None
        return _judge(response)

    def _request(self, notification: Notification, body: bytes) -> httpx.Request:
        url = httpx.URL(str(self.config.url))
        address = checked_address(url.host, self.kind.resolver, allow_private=self.kind.allow_private)
        headers = {
            "Content-Type": "application/json",
            "Host": url.netloc.decode(),
            "Idempotency-Key": notification.idempotency_key,
            "User-Agent": "alertsite",
        }
        if self.secrets.signing_key:
            headers["X-Alertsite-Signature"] = "sha256=" + sign(body, self.secrets.signing_key)
        return self.kind.client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers=headers,
            timeout=self.config.timeout_s,
            extensions={"sni_hostname": url.host},
        )


def payload_of(notification: Notification) -> bytes:
    """The body: the notification as JSON with sorted keys, so that a signature can be checked anywhere."""
    document: dict[str, Any] = {"version": PAYLOAD_VERSION, **asdict(notification)}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def sign(body: bytes, key: str) -> str:
    """Hexadecimal HMAC-SHA256 of a body."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def _judge(response: httpx.Response) -> Receipt:
    status = response.status_code
    if 200 <= status < 300:
        return Receipt(f"HTTP {status}")
    if status >= 500 or status in RETRYABLE_STATUSES:
        raise DeliveryFailed(f"HTTP {status}", retry_after_s=_retry_after(response))
    reason = "a redirect, which is not followed" if 300 <= status < 400 else "refused"
    raise DeliveryRefused(f"HTTP {status}: {reason}")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds the other side asks for. Its date form is rare and ignored: the backoff serves."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None
