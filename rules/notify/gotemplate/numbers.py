"""Numbers as Go's `fmt` and `strconv` write and read them."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from rules.notify.gotemplate.errors import Fault
from rules.notify.gotemplate.quoting import quoted
from rules.notify.gotemplate.times import Duration
from rules.notify.gotemplate.values import Value, type_name

_BASES = {"b": "b", "o": "o", "O": "o", "x": "x", "X": "X", "d": "d", "v": "d"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}
_FLOAT_VERBS = frozenset("eEfFgGv")
_SHORTEST_EXPONENT = 6
_FLOAT = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII)


def integer(value: int, verb: str, flags: str = "", precision: int | None = None) -> str | None:
    """An int by a verb, without padding. None if the verb does not fit."""
    if verb in _BASES:
        digits = format(abs(value), _BASES[verb]).rjust(precision or 0, "0")
        prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in flags else ""
        return _signed(prefix + digits, flags, negative=value < 0)
    if verb in "cq":
        shown = chr(value) if 0 <= value < 0xD800 or 0xDFFF < value <= 0x10FFFF else "\ufffd"
        return shown if verb == "c" else f"'{quoted(shown)[1:-1]}'"
    return f"U+{value:04X}" if verb == "U" and value >= 0 else None


def floating(value: float, verb: str = "v", flags: str = "", precision: int | None = None) -> str | None:
    """A float by a verb, without padding. None if the verb does not fit."""
    if verb not in _FLOAT_VERBS:
        return None
    if math.isnan(value):
        return "+NaN" if "+" in flags else "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    magnitude = abs(value)
    if verb in "gGv" and precision is None:
        digits = _shortest(magnitude)
    else:
        digits = f"{magnitude:.{6 if precision is None else precision}{'g' if verb == 'v' else verb}}"
    digits = digits.upper() if verb == "G" else digits
    return _signed(digits, flags, negative=math.copysign(1, value) < 0)


def four_digits(value: float) -> str:
    """As `%.4g`."""
    shown = floating(value, "g", precision=4)
    assert shown is not None
    return shown


def number_from(value: Value) -> float:
    """What Prometheus's functions make of an argument: a number, or a text that reads as one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        if _FLOAT.fullmatch(value):
            return float(value)
        raise Fault(f"{quoted(value[:50])} is no number")
    if isinstance(value, Duration):
        return value.seconds
    raise Fault(f"{type_name(type(value))} is no number")


def _shortest(magnitude: float) -> str:
    """The fewest digits that read back as the same float; with an exponent from 1e+06 on and below 1e-04."""
    _, digits, exponent = Decimal(repr(magnitude)).normalize().as_tuple()
    assert isinstance(exponent, int)
    written = "".join(map(str, digits))
    point = len(written) + exponent
    if magnitude and not -4 <= point - 1 < _SHORTEST_EXPONENT:
        fraction = f".{written[1:]}" if len(written) > 1 else ""
        return f"{written[0]}{fraction}e{point - 1:+03d}"
    return format(Decimal(repr(magnitude)).normalize(), "f")


def _signed(digits: str, flags: str, *, negative: bool) -> str:
    if negative:
        return "-" + digits
    if "+" in flags:
        return "+" + digits
    return " " + digits if " " in flags else digits
