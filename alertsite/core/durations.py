"""Prometheus durations: `1h30m` to milliseconds and back."""

from __future__ import annotations

import re

from alertsite.core.errors import InvalidDuration

_UNITS_MS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_FORM = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?"
    r"(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?",
)


def parse_duration_ms(text: str) -> int:
    """Milliseconds of a duration such as `90s` or `1h30m`; `0` needs no unit.

    Raises
    ------
    InvalidDuration
        If the text is empty, has an unknown unit, or units out of order.
    """
    if text == "0":
        return 0
    match = _FORM.fullmatch(text)
    if not text or match is None:
        raise InvalidDuration(text)
    return sum(int(count) * _UNITS_MS[unit] for unit, count in match.groupdict().items() if count)


def format_duration_ms(duration_ms: int) -> str:
    """The shortest Prometheus notation; `0s` for zero. Years and weeks only when they divide evenly."""
    if duration_ms == 0:
        return "0s"
    parts: list[str] = []
    rest = duration_ms
    for unit, size in _UNITS_MS.items():
        if unit in {"y", "w"} and rest % size:
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
