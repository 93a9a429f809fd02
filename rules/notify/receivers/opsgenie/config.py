"""Configuration of an Opsgenie receiver."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import Token
from rules.notify.severity import Level

Priority: TypeAlias = Literal["P1", "P2", "P3", "P4", "P5"]


class Responder(BaseModel):
    """Who is told, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    type: Literal["team", "user", "escalation", "schedule"]
    name: Annotated[str, Field(min_length=1, max_length=200)]


class OpsgenieConfig(Templated):
    """Where the account lives, who is told, and in which words."""

    region: Literal["us", "eu"] = "us"
    """Where the account lives."""
    responders: Annotated[list[Responder], Field(max_length=50)] = []
    """Who is told: `type` (team, user, escalation, schedule) and `name`."""
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=20)] = []
    """At most 20."""
    priorities: dict[Level, Priority] = {}
    """Opsgenie's priority by level; the others are P1 for critical, P2 error, P3 warning, P5 info."""


class OpsgenieSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    api_key: Token
    """Of an API integration."""
