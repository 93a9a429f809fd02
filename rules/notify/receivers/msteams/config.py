"""Configuration of a Microsoft Teams receiver."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import SecretUrl


class TeamsConfig(Templated):
    """In which words."""


class TeamsSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    webhook_url: SecretUrl
    """Of a workflow that posts what its webhook receives."""
