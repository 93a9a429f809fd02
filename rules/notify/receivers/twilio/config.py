"""Configuration of a Twilio receiver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from rules.notify.message_templates import TemplatedText
from rules.notify.receivers.fields import Token

Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
"""E.164."""
Sender = Annotated[str, StringConstraints(pattern=r"^(\+[1-9]\d{6,14}|MG[0-9a-f]{32}|[A-Za-z0-9 ]{1,11})$")]
"""A number, a messaging service, or an alphanumeric sender."""


class TwilioConfig(TemplatedText):
    """Which telephone, how, and in which words."""

    account_sid: Annotated[str, StringConstraints(pattern=r"^AC[0-9a-f]{32}$")]
    """`AC…`"""
    to: Number
    """The telephone, as +33612345678."""
    sender: Sender
    """A number, a messaging service `MG…`, or a name of at most 11 characters."""
    mode: Literal["sms", "voice"] = "sms"
    """A short message, or a call."""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}-[A-Z]{2}$")] = "en-US"
    """In which a call is spoken."""


class TwilioSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    auth_token: Token
    """Of the account."""
