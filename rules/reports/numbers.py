"""Numbers, shares, durations and moments as people of either language write them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

LANGUAGES: Final = ("en", "fr")
NOTHING: Final = "—"
"""Where there is no number."""
_NO_BREAK: Final = "\u00a0"
_UNITS: Final = (("d", "j", 86_400), ("h", "h", 3600), ("min", "min", 60))


def number(value: float | None, language: str, digits: int = 0) -> str:
    """`1,234.5` in English, `1 234,5` in French."""
    if value is None:
        return NOTHING
    text = f"{value:,.{digits}f}"
    if language == "fr":
        text = text.replace(",", _NO_BREAK).replace(".", ",")
    return text


def share(value: float | None, language: str, digits: int = 0) -> str:
    """A ratio in per cent."""
    if value is None:
        return NOTHING
    sign = f"{_NO_BREAK}%" if language == "fr" else "%"
    return f"{number(value * 100, language, digits)}{sign}"


def duration(seconds: float | None, language: str) -> str:
    """The two largest units, such as `2 h 5 min`; below a minute seconds with two digits."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        digits = 0 if seconds == int(seconds) else 2
        return f"{number(seconds, language, digits)}{_NO_BREAK}s"
    parts: list[str] = []
    rest = round(seconds)
    for english, french, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{_NO_BREAK}{french if language == 'fr' else english}")
    return " ".join(parts[:2])


def moment(at: str, zone: ZoneInfo) -> str:
    """An RFC 3339 moment by the clock of a zone."""
    return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M}"
