"""Configuration of a Slack receiver."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import SecretUrl, Token


class SlackConfig(Templated):
    """Where to post, and in which words."""

    channel: Annotated[str, Field(min_length=1, max_length=80)] | None = None
    """Id or name of the channel. Needed with a bot token; an incoming webhook has its own."""


class SlackSecrets(BaseModel):
    """Exactly one of the two ways in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    webhook_url: SecretUrl | None = None
    """Of an incoming webhook."""
    token: Token | None = None
    """Of a bot with the scope `chat:write`."""
