"""Tokens in addresses: shown once, stored as digests."""

from __future__ import annotations

import secrets

from alertsite.tenancy.services import digest_of

_BYTES = 24


def new_token() -> tuple[str, str]:
    """A new token and its digest. Nobody guesses 192 bits."""
    token = secrets.token_urlsafe(_BYTES)
    return token, digest_of(token)
