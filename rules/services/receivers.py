"""Receivers ready to send, with what each kind needs from outside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from time import monotonic
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError

from alertsite.audit.services import Deed, record
from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from rules.models import Receiver
from rules.notify.addresses import resolve
from rules.notify.posting import Poster
from rules.notify.receivers.alertmanager.receiver import AlertmanagerKind
from rules.notify.receivers.apprise.receiver import AppriseKind
from rules.notify.receivers.discord.receiver import DiscordKind
from rules.notify.receivers.email.receiver import EmailKind, SmtpServer
from rules.notify.receivers.log.receiver import LogKind
from rules.notify.receivers.msteams.receiver import TeamsKind
from rules.notify.receivers.opsgenie.receiver import OpsgenieKind
from rules.notify.receivers.pagerduty.receiver import PagerDutyKind
from rules.notify.receivers.registry import ReceiverRegistry
from rules.notify.receivers.slack.receiver import SlackKind
from rules.notify.receivers.sns.receiver import SnsKind
from rules.notify.receivers.telegram.receiver import TelegramKind
from rules.notify.receivers.twilio.receiver import TwilioKind
from rules.notify.receivers.webhook.receiver import WebhookKind
from rules.services.authoring import Author
from rules.services.people import StillNamed, places_of
from rules.services.routes import count_change


class ReceiverInUse(PlatformError):
    """Routes lead to a receiver that was to be deleted."""

    code = "receiver.in_use"


def _now() -> datetime:
    return to_datetime(SystemClock().now_ms())


@cache
def poster() -> Poster:
    """Posts to addresses that users name, guarded."""
    return Poster(
        resolve,
        allow_private=settings.ALLOW_PRIVATE_WEBHOOKS,
        ssl_context=httpx.create_ssl_context(),
        monotonic=monotonic,
    )


@cache
def receiver_registry() -> ReceiverRegistry:
    """Every kind, with the guard on addresses and the operator's SMTP server."""
    server = SmtpServer(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        sender=settings.DEFAULT_FROM_EMAIL,
        user=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        starttls=settings.EMAIL_USE_TLS,
        timeout_s=settings.EMAIL_TIMEOUT,
    )
    posts = poster()
    return ReceiverRegistry(
        [
            WebhookKind(posts),
            EmailKind(server),
            LogKind(),
            SlackKind(posts),
            TeamsKind(posts),
            PagerDutyKind(posts),
            OpsgenieKind(posts),
            TelegramKind(posts),
            DiscordKind(posts),
            TwilioKind(posts),
            SnsKind(posts, _now),
            AlertmanagerKind(posts, _now),
            AppriseKind(settings.ALLOW_PRIVATE_WEBHOOKS),
        ]
    )


def save_receiver(receiver: Receiver, author: Author) -> Receiver:
    """Store a receiver whose configuration fits its kind.

    Raises
    ------
    UnknownReceiverKind, InvalidReceiver, ValidationError
        Nothing is stored then.
    """
    receiver.full_clean()
    receiver_registry().open(receiver.kind, receiver.config, receiver.secrets)
    with transaction.atomic():
        receiver.save()
        count_change(receiver.tenant_id)
        detail = {"name": receiver.name, "kind": receiver.kind, "enabled": receiver.enabled}
        record(
            receiver.tenant_id,
            Deed(author.name, "receiver.saved", f"receiver:{receiver.pk}", detail),
            at=author.now,
        )
    return receiver


def leads_elsewhere(before: Receiver, kind: str, config: Mapping[str, Any]) -> bool:
    """Whether a change would send the receiver's secrets to another server: its kind or URL differ."""
    return (kind, config.get("url")) != (before.kind, before.config.get("url"))


def delete_receiver(receiver: Receiver, author: Author) -> None:
    """Remove a receiver. What it was still owed is cancelled with it, and the audit chain says how much."""
    places = list(places_of(receiver))
    if places:
        raise StillNamed(receiver, places)
    with transaction.atomic():
        owed = receiver.messages.filter(status="due").count()
        deed = Deed(
            author.name,
            "receiver.deleted",
            f"receiver:{receiver.pk}",
            {"name": receiver.name, "undelivered": owed},
        )
        record(receiver.tenant_id, deed, at=author.now)
        try:
            receiver.delete()
        except ProtectedError as error:
            raise ReceiverInUse(f"{len(error.protected_objects)} routes lead to {receiver.name}") from None
        count_change(receiver.tenant_id)
