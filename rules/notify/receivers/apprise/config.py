"""Configuration of a receiver for one of Apprise's services."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from rules.notify.message_templates import Templated

LOCAL_SCHEMES = frozenset({"dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Services of Apprise that act on the machine where it runs."""


class AppriseConfig(Templated):
    """In which words."""


def _refuse_local(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    if scheme in LOCAL_SCHEMES:
        raise ValueError(f"{scheme}:// acts on the machine of the platform")
    return url


class AppriseSecrets(BaseModel):
    """The way in."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[
        str,
        StringConstraints(max_length=2_000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://[\x21-\x7e]+$"),
        AfterValidator(_refuse_local),
    ]
    """Of the service, as Apprise writes it: `ntfys://topic`, `matrixs://…`."""
