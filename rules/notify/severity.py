"""How bad a notification is, on one scale for services that rank.

A notification goes in, one of four levels comes out: the worst of its firing alerts by a label of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from rules.notify.notification import FIRING, Notification

Level: TypeAlias = Literal["critical", "error", "warning", "info"]

LEVELS: Final[tuple[Level, ...]] = ("critical", "error", "warning", "info")
_WORDS: Final[Mapping[str, Level]] = {
    "critical": "critical",
    "crit": "critical",
    "page": "critical",
    "fatal": "critical",
    "emergency": "critical",
    "disaster": "critical",
    "error": "error",
    "high": "error",
    "major": "error",
    "warning": "warning",
    "warn": "warning",
    "average": "warning",
    "medium": "warning",
    "minor": "warning",
    "info": "info",
    "information": "info",
    "informational": "info",
    "low": "info",
    "none": "info",
}
"""What people write in their severity labels."""


def severity_of(notification: Notification, levels: Mapping[str, Level], default: Level) -> Level:
    """The worst level of the alerts that fire, or of all when none does.

    Parameters
    ----------
    levels
        By value of the label `severity`, before the usual words.
    default
        For alerts without the label, or with a word nobody knows.
    """
    known = {**_WORDS, **levels}
    firing = [alert for alert in notification.alerts if alert.state == FIRING] or notification.alerts
    found = [known.get(alert.labels.get("severity", "").lower(), default) for alert in firing]
    return min(found, key=LEVELS.index)
