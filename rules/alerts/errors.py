"""What the stages between an alert and its message refuse."""

from __future__ import annotations

from alertsite.core.errors import PlatformError


class InvalidMatcher(PlatformError):
    """A matcher or a list of matchers cannot be read."""

    code = "matcher.invalid"

    def __init__(self, reason: str, *, position: int | None = None) -> None:
        """`position` is the offset in the text of the first character that does not fit."""
        self.reason = reason
        self.position = position
        where = "" if position is None else f"at {position + 1}: "
        super().__init__(f"{where}{reason}")


class InvalidRoute(PlatformError):
    """A routing tree is malformed or too large."""

    code = "route.invalid"


class InvalidInterval(PlatformError):
    """A time interval cannot be read."""

    code = "interval.invalid"

    def __init__(self, field: str, reason: str) -> None:
        """`field` is the part of the interval that was refused, such as `weekdays`."""
        self.field = field
        super().__init__(f"{field}: {reason}")


class InvalidRecurrence(PlatformError):
    """A recurrence is no RFC 5545 rule, or one that costs too much to follow."""

    code = "recurrence.invalid"
