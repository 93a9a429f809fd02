"""Why the cluster cannot start: each is told in one line, without a traceback."""

from __future__ import annotations

from typing import ClassVar

from alertsite.core.errors import PlatformError


class CannotStart(PlatformError):
    """Something stands in the way: a port in use, a missing library, an unwritable directory."""

    code: ClassVar[str] = "runtime.cannot_start"
