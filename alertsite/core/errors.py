"""The error tree every part of the platform raises from.

A class carries a stable `code` that clients may match on, and `retryable`, which tasks obey. The message says
what was wrong, the value seen and the bound. `alertsite.web.problems` alone maps codes to HTTP statuses.
"""

from __future__ import annotations

from typing import ClassVar


class PlatformError(Exception):
    """Base of all errors that a person or a client is told about."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        """What was wrong, the value and the bound, in one sentence."""
        return str(self)


class InvalidParameter(PlatformError):
    """An argument lies outside what the called function accepts."""

    code = "invalid_parameter"

    def __init__(self, name: str, value: object, accepts: str) -> None:
        super().__init__(f"{name} is {value!r}, accepts {accepts}")
        self.name = name


class InvalidLabels(PlatformError):
    """A label set is malformed: bad name, duplicate name, too many or too long labels."""

    code = "labels.invalid"


class InvalidDuration(PlatformError):
    """A duration does not read like `1h30m`."""

    code = "duration.invalid"

    def __init__(self, text: str) -> None:
        super().__init__(f"duration {text!r} is not of the form 1h30m (units ms, s, m, h, d, w, y)")


class Conflict(PlatformError):
    """The stored state has moved on since the caller looked."""

    code = "conflict"
