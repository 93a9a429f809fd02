"""OTLP names, units and attribute keys in; the names that Prometheus gives them out. Nothing is refused.

The rules are those of Prometheus 3 with its default strategy (underscores and suffixes), as OpenTelemetry's
"Prometheus and OpenMetrics Compatibility" specifies: `http.server.duration` in `s` becomes
`http_server_duration_seconds`. A name without a letter or digit becomes empty, which the store's label check
refuses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

UNITS: Final = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
"""UCUM codes and the words that Prometheus uses."""
PER_UNITS: Final = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}
"""The same behind a stroke."""

_WORDS: Final = re.compile(r"[a-zA-Z0-9:]+")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")


@lru_cache(maxsize=1 << 14)
def metric_name(name: str, unit: str, *, monotonic: bool = False, gauge: bool = False) -> str:
    """The Prometheus name: words joined by underscores, then the unit, `total` or `ratio`."""
    words = _WORDS.findall(name)
    words += [word for word in _unit_words(unit) if word and word not in words]
    if monotonic:
        words = [word for word in words if word != "total"] + ["total"]
    if gauge and unit == "1":
        words = [word for word in words if word != "ratio"] + ["ratio"]
    joined = "_".join(words) if _WORDS.search(name) else ""
    return f"_{joined}" if joined[:1].isdigit() else joined


@lru_cache(maxsize=1 << 14)
def label_name(key: str) -> str:
    """The Prometheus label of an attribute key. `key` goes before a digit or a single underscore."""
    name = _NOT_IN_LABELS.sub("_", key)
    if name[:1].isdigit():
        return f"key_{name}"
    if name.startswith("_") and not name.startswith("__"):
        return f"key{name}"
    return name


def _unit_words(unit: str) -> tuple[str, str]:
    """The unit and what stands behind its stroke, in words; annotations in braces say nothing."""
    main, _, per = (part.strip() for part in unit.partition("/"))
    per_word = _unit_word(per, PER_UNITS)
    return _unit_word(main, UNITS), f"per_{per_word}" if per_word else ""


def _unit_word(unit: str, words: dict[str, str]) -> str:
    if "{" in unit or "}" in unit:
        return ""
    return "_".join(_WORDS.findall(words.get(unit, unit)))
