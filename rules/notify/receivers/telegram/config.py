"""Configuration of a Telegram receiver."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rules.notify.message_templates import Templated

ChatName = Annotated[str, StringConstraints(pattern=r"^(@[A-Za-z0-9_]{3,64}|-?[0-9]{1,20})$")]


class TelegramConfig(Templated):
    """Which chat, and in which words."""

    chat_id: int | ChatName
    """A number, or `@name` of a public channel."""
    message_thread_id: Annotated[int, Field(gt=0)] | None = None
    """Topic of a forum."""


class TelegramSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    token: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}:[A-Za-z0-9_-]{1,100}$")]
    """Of a bot, as BotFather gives it."""
