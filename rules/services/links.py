"""Signed links in messages: whoever got the message may act on its alerts, for a while, without a login."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

from alertsite.core.errors import PlatformError
from rules.models import OutboxMessage

LIFETIME: Final = timedelta(days=7)
ACTIONS: Final = ("acknowledge", "snooze", "resolve", "useful", "noise")
"""What a link may do. A link shows a page with a button: mail scanners that open it change nothing."""
_SALT: Final = "alertsite.message-action"


class InvalidLink(PlatformError):
    """A link was changed, is too old, or was never ours."""

    code = "link.invalid"

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        """`expired`, `forged` or `gone`: key of the page's wording."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: the message it stood in, and what to do."""

    message_id: UUID
    action: str


def action_links(message: OutboxMessage) -> dict[str, str]:
    """An address for each action."""
    return {
        action: f"{settings.PUBLIC_URL}/act/{signing.dumps([message.pk.hex, action], salt=_SALT)}/"
        for action in ACTIONS
    }


def read_link(token: str) -> Link:
    """What a token says.

    Raises
    ------
    InvalidLink
        If it is not ours, was changed, or is older than `LIFETIME`.
    """
    try:
        message, action = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.SignatureExpired:
        raise InvalidLink("expired", f"the link is older than {LIFETIME.days} days") from None
    except signing.BadSignature:
        raise InvalidLink("forged", "the link is not one of ours, or was changed") from None
    return Link(UUID(message), action)
