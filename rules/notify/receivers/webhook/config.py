"""Configuration of a webhook."""

from __future__ import annotations

from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, field_validator


class WebhookConfig(BaseModel):
    """Where to post."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: AnyHttpUrl
    """Where to post."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """For the whole exchange, from the connection to the end of the answer."""

    @field_validator("url")
    @classmethod
    def _refuse_credentials(cls, url: AnyHttpUrl) -> AnyHttpUrl:
        if url.username or url.password:
            raise ValueError("a user and a password in the URL would be shown to everyone who may read it")
        return url


class WebhookSecrets(BaseModel):
    """What signs the body. Without it the body is not signed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    signing_key: Annotated[str, Field(min_length=16)] | None = None
    """Key of the HMAC-SHA256 in `X-Alertsite-Signature`; at least 16 characters."""
