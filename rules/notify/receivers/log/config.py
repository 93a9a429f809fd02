"""Configuration of a log receiver: none."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LogConfig(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class LogSecrets(BaseModel):
    """Nothing to hide."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
