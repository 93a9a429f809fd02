"""Configuration of an e-mail receiver."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rules.notify.message_templates import TemplateText

Address = Annotated[str, StringConstraints(pattern=r"^[^@\s,;<>]+@[^@\s,;<>]+$", max_length=254)]


class EmailConfig(BaseModel):
    """Who is written to, and in which words: templates, or ours where there are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    to: Annotated[list[Address], Field(min_length=1, max_length=50)]
    """Addresses."""
    subject: TemplateText | None = None
    """Template of the subject; ours without one."""
    text: TemplateText | None = None
    """Template of the plain text; ours without one."""
    html: TemplateText | None = None
    """Template of the HTML; sees labels, annotations and URLs with their HTML escaped."""


class EmailSecrets(BaseModel):
    """An e-mail receiver has none: the operator's SMTP server is used."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
