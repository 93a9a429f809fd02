"""Series in the notation of rule authors: `up{job="api"}` with values `1 0x3 _ stale 1+2x4`.

In: text. Out: label sets and values. Refused, with the item: what is no value, native histograms, too many
values.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet, MatchOp, label_set
from alertsite.core.samples import STALE_NAN
from rules.language.parser import parse
from rules.language.syntax import Selector

MAX_VALUES: Final = 1_000_000
_NUMBER: Final = r"(?:[Ii]nf|[Nn]a[Nn]|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_ITEM: Final = re.compile(rf"(stale|_|[+-]?{_NUMBER})(?:([+-]{_NUMBER}))?(?:x(\d{{1,9}}))?")


class InvalidNotation(PlatformError):
    """Text that is no series."""

    code = "notation.invalid"


def parse_series(text: str) -> LabelSet:
    """The label set of `name{a="b"}`; `{}` has no labels.

    Raises
    ------
    InvalidNotation
        If it is no selector of equalities alone.
    """
    if text.replace(" ", "") in {"", "{}"}:
        return ()
    try:
        expr = parse(text)
    except PlatformError as error:
        raise InvalidNotation(f"series {text!r}: {error}") from None
    if not isinstance(expr, Selector) or any(matcher.op is not MatchOp.EQUAL for matcher in expr.matchers):
        raise InvalidNotation(f'series {text!r} is not of the form name{{label="value"}}')
    return label_set((matcher.name, matcher.value) for matcher in expr.matchers)


def parse_values(notation: str, most: int = MAX_VALUES) -> list[np.float64 | None]:
    """The values, one an interval; None where there is no sample.

    `a+bxN` is `a`, and N more, each `b` further; `axN` is `a` and N more; `_xN` is N gaps.

    Raises
    ------
    InvalidNotation
        If an item is no value, or there are more than `most`.
    """
    values: list[np.float64 | None] = []
    for item in notation.split():
        values.extend(_expanded(item, most - len(values)))
    return values


def _expanded(item: str, room: int) -> list[np.float64 | None]:
    if item.startswith("{{"):
        raise InvalidNotation(f"value {item!r}: native histograms are not supported")
    match = _ITEM.fullmatch(item)
    if match is None:
        raise InvalidNotation(f"value {item!r} is not of the form 1, 1x3, 1+2x3, _, _x3 or stale")
    start, step, times = match.groups()
    count = int(times or 0) + (start != "_" or not times)
    if count > room:
        raise InvalidNotation(f"value {item!r} makes more values than the {room} there is room for")
    if start == "_":
        return [None] * count
    if start == "stale":
        return [STALE_NAN] * count
    first, change = float(start), float(step or 0)
    made: list[np.float64 | None] = []
    for _ in range(count):  # added up one by one, as Prometheus does: the last digits count in its tests
        made.append(np.float64(first))
        first += change
    return made
