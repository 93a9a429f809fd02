"""The functions that Prometheus adds to a template.

Sources: the template reference of Prometheus 3, "Functions"; checked against its expansion of the same texts.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote_plus, urlsplit

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, PlatformError
from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.expressions import matches, replaced
from rules.notify.gotemplate.numbers import floating, four_digits, number_from
from rules.notify.gotemplate.times import Duration, Time
from rules.notify.gotemplate.values import Function, Sample, Samples, Value

Query: TypeAlias = Callable[[str], Sequence[Sample]]

QUERY_COST = 2_000
PATTERN_COST = 100
"""A regular expression is compiled, perhaps."""
_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_BINARY = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")
_WORD_START = re.compile(r"(?<![^\W])[^\W\d_]")


def humanize(value: Value) -> str:
    """With a metric prefix: 1234567 is `1.235M`."""
    number = number_from(value)
    if not number or not math.isfinite(number):
        return four_digits(number)
    scaled, prefix = _enlarged(number, 1000, _LARGE) if abs(number) >= 1 else _reduced(number)
    return four_digits(scaled) + prefix


def humanize_1024(value: Value) -> str:
    """With a binary prefix: 1048576 is `1Mi`."""
    number = number_from(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return four_digits(number)
    scaled, prefix = _enlarged(number, 1024, _LARGE_BINARY)
    return four_digits(scaled) + prefix


def humanize_duration(value: Value) -> str:
    """Seconds as days, hours, minutes and seconds: 3661 is `1h 1m 1s`, 0.0012 is `1.2ms`."""
    seconds = number_from(value)
    if not math.isfinite(seconds):
        return four_digits(seconds)
    if not seconds:
        return "0s"
    if abs(seconds) < 1:
        scaled, prefix = _reduced(seconds)
        return f"{four_digits(scaled)}{prefix}s"
    sign, whole = "-" if seconds < 0 else "", int(abs(seconds))
    if whole < 60:
        return f"{sign}{four_digits(abs(seconds))}s"
    parts = [f"{whole // 86400}d", f"{whole // 3600 % 24}h", f"{whole // 60 % 60}m", f"{whole % 60}s"]
    return sign + " ".join(parts[0 if whole >= 86400 else 1 if whole >= 3600 else 2 :])


def humanize_percentage(value: Value) -> str:
    """A ratio as a percentage: 0.1234 is `12.34%`."""
    return f"{four_digits(number_from(value) * 100)}%"


def humanize_timestamp(value: Value) -> str:
    """Seconds since the epoch as a time of day in UTC."""
    seconds = number_from(value)
    return Time.of_seconds(seconds).rendered() if math.isfinite(seconds) else four_digits(seconds)


def _enlarged(number: float, step: int, prefixes: Sequence[str]) -> tuple[float, str]:
    prefix = ""
    for larger in prefixes:
        if abs(number) < step:
            break
        number, prefix = number / step, larger
    return number, prefix


def _reduced(number: float) -> tuple[float, str]:
    prefix = ""
    for smaller in _SMALL:
        if abs(number) >= 1:
            break
        number, prefix = number * 1000, smaller
    return number, prefix


def _time_from(value: Value) -> Time:
    seconds = number_from(value)
    if not math.isfinite(seconds):
        raise Fault(f"{floating(seconds)} is no time")
    return Time.of_seconds(seconds)


def _duration_from(value: Value) -> Duration:
    seconds = number_from(value)
    if not math.isfinite(seconds):
        raise Fault(f"{floating(seconds)} is no duration")
    return Duration.of_seconds(seconds)


def _parse_duration(text: str) -> float:
    try:
        return parse_duration_ms(text) / 1000
    except InvalidDuration as error:
        raise Fault(str(error)) from None


def title(text: str) -> str:
    """The first letter of each word in upper case."""
    return _WORD_START.sub(lambda match: match[0].upper(), text)


def _first(samples: Samples) -> Sample:
    if not samples:
        raise Fault("first of a result without elements")
    return samples[0]


def _sorted_by_label(name: str, samples: Samples) -> Samples:
    return Samples(sorted(samples, key=lambda sample: sample.labels.get(name, "")))


def _split_port(text: str) -> tuple[str, str] | None:
    """Host and port of `host:port` or `[host]:port`; None if the text is neither."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return None
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    return None if ":" in host or "[" in host or "]" in host else (host, port)


def _strip_port(text: str) -> str:
    parts = _split_port(text)
    return text if parts is None else parts[0]


def _strip_domain(text: str) -> str:
    host, port = _split_port(text) or (text, "")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        short = host.partition(".")[0]
        return f"{short}:{port}" if port else short
    return text


def _graph_link(tab: int) -> Callable[[str], str]:
    return lambda expr: f"/graph?g0.expr={quote_plus(expr)}&g0.tab={tab}"


def _arguments(*values: Value) -> dict[str, Value]:
    return {f"arg{position}": value for position, value in enumerate(values)}


_ANY, _TEXT = (object,), (str,)
PROMETHEUS: Final[dict[str, Function]] = {
    "humanize": Function(humanize, _ANY),
    "humanize1024": Function(humanize_1024, _ANY),
    "humanizeDuration": Function(humanize_duration, _ANY),
    "humanizePercentage": Function(humanize_percentage, _ANY),
    "humanizeTimestamp": Function(humanize_timestamp, _ANY),
    "toTime": Function(_time_from, _ANY),
    "toDuration": Function(_duration_from, _ANY),
    "toFloat": Function(number_from, _ANY),
    "parseDuration": Function(_parse_duration, _TEXT),
    "title": Function(title, _TEXT),
    "toUpper": Function(str.upper, _TEXT),
    "toLower": Function(str.lower, _TEXT),
    "match": Function(matches, (str, str), cost=PATTERN_COST),
    "reReplaceAll": Function(replaced, (str, str, str), cost=PATTERN_COST, characters_per_step=1),
    "graphLink": Function(_graph_link(0), _TEXT),
    "tableLink": Function(_graph_link(1), _TEXT),
    "safeHtml": Function(lambda text: text, _TEXT),
    "urlQueryEscape": Function(quote_plus, _TEXT),
    "stripPort": Function(_strip_port, _TEXT),
    "stripDomain": Function(_strip_domain, _TEXT),
    "args": Function(_arguments, (), object),
    "first": Function(_first, (Samples,)),
    "label": Function(lambda name, sample: sample.labels.get(name, ""), (str, Sample)),
    "value": Function(lambda sample: sample.value, (Sample,)),
    "strvalue": Function(lambda sample: sample.labels.get("__value__", ""), (Sample,)),
    "sortByLabel": Function(_sorted_by_label, (str, Samples)),
}
OF_SURROUNDINGS: Final = frozenset({"query", "externalURL", "pathPrefix"})
"""Functions that depend on where the template is filled: see `surrounding_functions`."""


def surrounding_functions(external_url: str, query: Query | None) -> dict[str, Function]:
    """The functions named in `OF_SURROUNDINGS`. Without a query function, `query` fails."""

    def run_query(expression: str) -> Samples:
        """The samples of an expression, as the tenant may see them."""
        if query is None:
            raise Fault("query cannot be used here")
        try:
            return Samples(query(expression))
        except PlatformError as error:
            raise Fault(f"query {expression[:100]!r}: {error}") from None

    return {
        "query": Function(run_query, _TEXT, cost=QUERY_COST),
        "externalURL": Function(lambda: external_url),
        "pathPrefix": Function(lambda: urlsplit(external_url).path),
    }
