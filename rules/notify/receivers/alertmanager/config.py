"""Configuration of a receiver that is another Alertmanager."""

from __future__ import annotations

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, field_validator

from rules.notify.receivers.fields import Token


class AlertmanagerConfig(BaseModel):
    """Where it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: AnyHttpUrl
    """Its root, prefix included; `/api/v2/alerts` is added."""
    firing_for_s: Annotated[int, Field(ge=300, le=31 * 86_400)] = 86_400
    """How long it takes an alert to fire that is not told again. Longer than the repeat interval."""

    @field_validator("url")
    @classmethod
    def _refuse_what_is_no_root(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("a user and a password belong into the secrets")
        if url.query or url.fragment:
            raise ValueError("a query or a fragment is not part of the root")
        return url


class AlertmanagerSecrets(BaseModel):
    """How we prove who we are: not at all, by name and password, or by token."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    username: Annotated[str, Field(max_length=200)] | None = None
    """With `password`, for basic authentication."""
    password: Annotated[str, Field(max_length=2_000)] | None = None
    """With `username`."""
    bearer_token: Token | None = None
    """Instead of name and password."""
