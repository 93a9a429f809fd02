"""What the admin's pages share."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alertsite.core.clock import SystemClock, to_datetime
from rules.services.authoring import Author


def author_of(request: HttpRequest) -> Author:
    """Who saves, and when."""
    return Author(request.user.get_username(), to_datetime(SystemClock().now_ms()))


def pretty(value: Any) -> SafeString:
    """JSON to be read."""
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=False))
