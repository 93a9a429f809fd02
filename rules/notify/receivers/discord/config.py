"""Configuration of a Discord receiver."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import SecretUrl


class DiscordConfig(Templated):
    """In which words."""


class DiscordSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    webhook_url: SecretUrl
    """Of a channel's webhook."""
