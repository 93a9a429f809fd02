"""Cloud accounts: saved, opened, checked, deleted; each of it in the audit chain.

Refused: a provider that is not known or not installed, settings and credentials that its adapter does not
take, an account that is disabled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from alertsite.audit.services import Author, Deed, record
from alertsite.core.errors import PlatformError
from cloud.adapters.protocol import Adapter, Session
from cloud.models import CloudAccount
from cloud.services.providers import registry

LONGEST_FAULT = 500


class UnknownAccount(PlatformError):
    """The tenant has no account of this name."""

    code = "cloud.unknown_account"


class AccountDisabled(PlatformError):
    """The account is switched off."""

    code = "cloud.account_disabled"


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account, how its provider is spoken to, and a session of it."""

    account: CloudAccount
    adapter: Adapter
    session: Session


@dataclass(frozen=True, slots=True)
class Checked:
    """Who the provider says we are, or why it does not."""

    ok: bool
    identity: str = ""
    fault: str = ""


@contextmanager
def open_account(tenant_id: UUID, name: str) -> Iterator[OpenAccount]:
    """A session of the tenant's account; closed at the end.

    Raises
    ------
    UnknownAccount, AccountDisabled, UnknownProvider, InvalidParameter
    """
    account = CloudAccount.objects.for_tenant(tenant_id).filter(name=name).first()
    if account is None:
        raise UnknownAccount(f"the tenant has no cloud account {name!r}")
    with opened(account) as opening:
        yield opening


@contextmanager
def opened(account: CloudAccount) -> Iterator[OpenAccount]:
    """A session of an account; closed at the end.

    Raises
    ------
    AccountDisabled, UnknownProvider, InvalidParameter
    """
    if not account.enabled:
        raise AccountDisabled(f"cloud account {account.name!r} is disabled")
    known = registry()
    session = known.open(account.provider, account.settings, account.credentials)
    try:
        yield OpenAccount(account, known.adapter(account.provider), session)
    finally:
        session.close()


def save_account(account: CloudAccount, author: Author) -> CloudAccount:
    """Store an account whose settings and credentials fit its provider.

    Raises
    ------
    UnknownProvider, InvalidParameter, ValidationError
        Nothing is stored then.
    """
    account.full_clean()
    registry().open(account.provider, account.settings, account.credentials).close()
    if account.next_sync_at is None:
        account.next_sync_at = author.now
    with transaction.atomic():
        account.save()
        detail = {"name": account.name, "provider": account.provider, "enabled": account.enabled}
        _record(account, "saved", detail, author)
    return account


def leads_elsewhere(before: CloudAccount, provider: str, settings: Mapping[str, Any]) -> bool:
    """Whether a change would send the account's credentials to another provider or server."""
    if provider != before.provider:
        return True
    names = registry().adapter(provider).settings.destination
    return any(settings.get(name) != before.settings.get(name) for name in names)


def delete_account(account: CloudAccount, author: Author) -> None:
    """Forget an account and what was seen of it."""
    with transaction.atomic():
        _record(account, "deleted", {"name": account.name, "provider": account.provider}, author)
        account.delete()


def check_account(account: CloudAccount, author: Author) -> Checked:
    """Ask the provider who we are, and note what it said."""
    try:
        with opened(account) as opening:
            found = Checked(True, identity=opening.adapter.check(opening.session)[:LONGEST_FAULT])
    except PlatformError as error:
        found = Checked(False, fault=error.detail[:LONGEST_FAULT])
    with transaction.atomic():
        note(account, at=author.now, identity=found.identity or account.identity, fault=found.fault)
        _record(account, "checked", {"name": account.name, "ok": found.ok}, author)
    return found


def note(account: CloudAccount, *, at: datetime, identity: str, fault: str) -> None:
    """Write down how a check went, and nothing else of the row."""
    account.checked_at, account.identity, account.fault = at, identity, fault
    account.save(update_fields=["checked_at", "identity", "fault"])


def _record(account: CloudAccount, what: str, detail: Mapping[str, Any], author: Author) -> None:
    deed = Deed(author.name, f"cloud_account.{what}", f"cloud_account:{account.pk}", detail)
    record(account.tenant_id, deed, at=author.now)
