"""Conditions on anomalies said in a sentence.

In: such as `alert me when node_load1{job="node"} is unusually high for 5m`. Out: the condition, and for how
long it must hold. Refused, with what is understood: any other sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidParameter, PlatformError
from rules.language.parser import parse
from rules.language.syntax import Selector

UNDERSTOOD: Final = (
    "SERIES is unusual, SERIES is unusually high, or SERIES is unusually low, each with `for 5m` or the like "
    "if it must last"
)
_ODD: Final = "unusual|anomalous|strange|abnormal"
_SENTENCE: Final = re.compile(
    rf"(?:(?:alert|warn|tell)(?: me| us)? )?(?:(?:when|if) )?(?P<series>\S.*?) is (?:(?:{_ODD})|"
    rf"(?:{_ODD})(?:ly)? (?P<side>high|low))(?: for (?P<hold>[0-9a-z]+))?\.?",
    re.IGNORECASE,
)
_DIRECTIONS: Final = {"high": "up", "low": "down", "": "both"}


@dataclass(frozen=True, slots=True)
class Said:
    """A structured condition, and how long it must hold, None where the sentence leaves that open."""

    condition: dict[str, Any]
    hold_for_s: int | None


def said(sentence: str) -> Said:
    """Read a sentence.

    Raises
    ------
    InvalidParameter
    """
    match = _SENTENCE.fullmatch(sentence.strip())
    if match is None:
        raise InvalidParameter("sentence", sentence, UNDERSTOOD)
    series, side = match["series"], (match["side"] or "").lower()
    hold = match["hold"]
    try:
        if not isinstance(parse(series), Selector):
            raise InvalidParameter("sentence", sentence, f"a selector of series, not {series!r}")
        hold_for_s = None if hold is None else _whole_seconds(hold)
    except PlatformError as error:
        raise InvalidParameter("sentence", sentence, f"{UNDERSTOOD}; {error}") from None
    return Said({"type": "anomaly", "selector": series, "direction": _DIRECTIONS[side]}, hold_for_s)


def _whole_seconds(text: str) -> int:
    seconds, rest_ms = divmod(parse_duration_ms(text), 1000)
    if rest_ms:
        raise InvalidParameter("for", text, "whole seconds")
    return seconds
