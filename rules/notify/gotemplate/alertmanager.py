"""The functions that Alertmanager adds to a template, where Prometheus has none of the name."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_plus

from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.limits import Output, TemplateLimits
from rules.notify.gotemplate.times import Time, zone
from rules.notify.gotemplate.values import Function

_LIMIT: Final = TemplateLimits().output


def _joined(separator: str, parts: tuple[object, ...]) -> str:
    output = Output(_LIMIT)
    for position, part in enumerate(parts):
        if not isinstance(part, str):
            raise Fault(f"join needs texts, element {position} is not one")
        output.write(separator if position else "")
        output.write(part)
    return output.text()


ALERTMANAGER: Final[dict[str, Function]] = {
    "join": Function(_joined, (str, tuple)),
    "stringSlice": Function(lambda *texts: texts, (), str),
    "trimSpace": Function(str.strip, (str,)),
    "safeUrl": Function(lambda text: text, (str,)),
    "urlUnescape": Function(unquote_plus, (str,)),
    "date": Function(lambda layout, time: time.laid_out(layout), (str, Time)),
    "tz": Function(lambda name, time: time.in_zone(zone(name)), (str, Time)),
}
OF_SURROUNDINGS: Final = frozenset({"since", "now"})
"""Functions that depend on the time: see `time_functions`."""


def time_functions(now_s: float) -> dict[str, Function]:
    """The functions named in `OF_SURROUNDINGS`, at a time in seconds since the epoch."""
    now = Time.of_seconds(now_s)
    return {
        "since": Function(lambda time: now.methods["Sub"].implementation(now, time), (Time,)),
        "now": Function(lambda: now_s),
    }
