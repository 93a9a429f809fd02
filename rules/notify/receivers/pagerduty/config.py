"""Configuration of a PagerDuty receiver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import Token
from rules.notify.severity import Level


class PagerDutyConfig(Templated):
    """Where the account lives, how severities map, and in which words."""

    region: Literal["us", "eu"] = "us"
    """Where the account lives."""
    severities: Annotated[dict[str, Level], Field(max_length=50)] = {}
    """PagerDuty's severity by value of the label `severity`, in lower case; before the usual words."""
    default_severity: Level = "error"
    """For alerts without the label, or with a word nobody knows."""


class PagerDutySecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    routing_key: Token
    """Of an integration with Events API v2."""
