"""Configuration of an Amazon SNS receiver."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from rules.notify.message_templates import Templated
from rules.notify.receivers.fields import Token

Arn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}$")
]
Number = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{6,14}$")]
"""E.164."""


class SnsConfig(Templated):
    """Where to publish, and in which words. Exactly one of topic and number."""

    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    """As eu-west-3."""
    topic_arn: Arn | None = None
    """A name that ends in `.fifo` is that of a FIFO topic."""
    phone_number: Number | None = None
    """Instead of a topic."""


class SnsSecrets(BaseModel):
    """The way in: a key that may `sns:Publish` there. The platform's own identity is never used."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    access_key_id: Token
    """Of an identity that may `sns:Publish` there."""
    secret_access_key: Token
    """Of the same."""
    session_token: Token | None = None
    """Of temporary keys."""
