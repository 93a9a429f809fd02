"""What an HTTP answer means for a delivery.

An answer goes in. A good one passes; `DeliveryFailed` is raised when a later attempt may succeed,
`DeliveryRefused` when none will.
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any, Final

from rules.notify.notification import DeliveryFailed, DeliveryRefused
from rules.notify.posting import Content

RETRYABLE_STATUSES: Final = frozenset({408, 425, 429})
MAX_QUOTED: Final = 200
"""Characters of an answer that a reason quotes."""


def check(answer: Content) -> None:
    """Pass an answer of 2xx. 5xx, 408, 425 and 429 may be tried again, redirects are never followed.

    Raises
    ------
    DeliveryFailed, DeliveryRefused
    """
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryRefused(f"HTTP {status}: a redirect, which is not followed")
    reason = f"HTTP {status}: {quoted(answer)}".rstrip(": ")
    if status >= 500 or status in RETRYABLE_STATUSES:
        raise DeliveryFailed(reason, retry_after_s=retry_after_s(answer))
    raise DeliveryRefused(reason)


def quoted(answer: Content) -> str:
    """The beginning of an answer, on one line."""
    return " ".join(answer.body[: 4 * MAX_QUOTED].decode(errors="replace").split())[:MAX_QUOTED]


def json_of(answer: Content) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def retry_after_s(answer: Content) -> float | None:
    """Seconds the other side asks for, in `Retry-After`.

    Its date is compared with the answer's own `Date`, so that neither clock has to be right.
    """
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())
