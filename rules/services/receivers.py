"""Receivers ready to send, with what each kind needs from outside."""

from __future__ import annotations

from functools import cache

import httpx
from django.conf import settings

from rules.notify.addresses import resolve
from rules.notify.receivers.email.receiver import EmailKind, SmtpServer
from rules.notify.receivers.log.receiver import LogKind
from rules.notify.receivers.registry import ReceiverRegistry
from rules.notify.receivers.webhook.receiver import WebhookKind


@cache
def receiver_registry() -> ReceiverRegistry:
    """Every kind, with this process's connection pool and the operator's SMTP server."""
    server = SmtpServer(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        sender=settings.DEFAULT_FROM_EMAIL,
        user=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        starttls=settings.EMAIL_USE_TLS,
        timeout_s=settings.EMAIL_TIMEOUT,
    )
    # A proxy from the environment would connect for us, past the guard on addresses.
    client = httpx.Client(trust_env=False)
    return ReceiverRegistry(
        [
            WebhookKind(client, resolve, allow_private=settings.ALLOW_PRIVATE_WEBHOOKS),
            EmailKind(server),
            LogKind(),
        ]
    )
