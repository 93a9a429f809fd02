"""Inbound hooks: addresses that other systems post any JSON to, and how it becomes alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from alertsite.audit.services import Deed, record
from alertsite.core.errors import PlatformError
from alertsite.tenancy.scope import platform_scope, tenant_scope
from alertsite.tenancy.services import digest_of
from rules.alerts.mapping import InvalidMapping, MappedAlert, UnmappedDocument, parse_mapping, read_alerts
from rules.models import InboundHook, Origin
from rules.services.authoring import Author
from rules.services.intake import InvalidAlert, Posted, Sender, Taken, checked_labels, take
from rules.services.nudging import nudge_after_commit
from rules.services.tokens import new_token

MAX_URL = 2_000


class UnknownHook(PlatformError):
    """No hook that is enabled has this token."""

    code = "hook.unknown"


class InvalidHook(PlatformError):
    """A hook cannot be saved. `errors` has a reason for each field."""

    code = "hook.invalid"

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {reason}" for name, reason in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class NewHook:
    """A hook that was just made or got another token, which cannot be had again."""

    hook: InboundHook
    token: str


def create(hook: InboundHook, author: Author) -> NewHook:
    """Store a new hook.

    Raises
    ------
    InvalidHook, ValidationError
        Nothing is stored then.
    """
    token, hook.token_digest = new_token()
    return NewHook(change(hook, author), token)


def change(hook: InboundHook, author: Author) -> InboundHook:
    """Store a hook whose mapping reads.

    Raises
    ------
    InvalidHook, ValidationError
        Nothing is stored then.
    """
    hook.full_clean()
    check(hook)
    with transaction.atomic():
        hook.save()
        _record(hook, author, "saved")
    return hook


def check(hook: InboundHook) -> None:
    """Refuse a mapping that does not read.

    Raises
    ------
    InvalidHook
    """
    try:
        parse_mapping(hook.mapping)
    except InvalidMapping as error:
        raise InvalidHook({"mapping": str(error)}) from None


def rotate(hook: InboundHook, author: Author) -> NewHook:
    """Give it another token; the old one is void at once."""
    token, hook.token_digest = new_token()
    with transaction.atomic():
        hook.save(update_fields=["token_digest"])
        _record(hook, author, "token_replaced")
    return NewHook(hook, token)


def delete(hook: InboundHook, author: Author) -> None:
    """Remove a hook. Its alerts end when nobody renews them."""
    with transaction.atomic():
        _record(hook, author, "deleted")
        hook.delete()


def find(token: str) -> InboundHook:
    """The hook that an address belongs to.

    Raises
    ------
    UnknownHook
    """
    with platform_scope():
        rows = InboundHook.across_tenants.filter(token_digest=digest_of(token), enabled=True)
        hook: InboundHook | None = rows.first()
    if hook is None:
        raise UnknownHook("no hook has this address, or it is switched off")
    return hook


def receive(hook: InboundHook, document: Any, *, now: datetime) -> Taken:
    """Take the alerts of a document: all of them or none.

    Raises
    ------
    UnmappedDocument
        With the alert and the path that does not fit.
    """
    posted = would_become(hook, document, now=now)
    sender = Sender(Origin.FOREIGN, f"hook:{hook.name}")
    timeout = timedelta(milliseconds=parse_mapping(hook.mapping).expires_after_ms)
    with tenant_scope(hook.tenant_id), transaction.atomic():
        taken = take(hook.tenant_id, posted, sender, now=now, timeout=timeout)
        if taken.groups:
            nudge_after_commit()
    return taken


def would_become(hook: InboundHook, document: Any, *, now: datetime) -> Sequence[Posted]:
    """The alerts of a document; nothing is stored.

    Raises
    ------
    UnmappedDocument
        With the alert and the path that does not fit.
    """
    found = read_alerts(parse_mapping(hook.mapping), document)
    return [_posted(number, one, now) for number, one in enumerate(found)]


def _posted(number: int, one: MappedAlert, now: datetime) -> Posted:
    try:
        labels = checked_labels(one.labels)
    except InvalidAlert as error:
        raise UnmappedDocument(f"alert {number}, labels: {error}") from None
    ends_at = one.ends_at if one.firing else min(one.ends_at or now, now)
    return Posted(labels, one.annotations, one.starts_at, ends_at, one.url[:MAX_URL])


def _record(hook: InboundHook, author: Author, what: str) -> None:
    detail = {"name": hook.name, "enabled": hook.enabled}
    deed = Deed(author.name, f"inboundhook.{what}", f"inboundhook:{hook.pk}", detail)
    record(hook.tenant_id, deed, at=author.now)
