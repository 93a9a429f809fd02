"""Go's literals to values: numbers, quoted strings, characters. Refuses with `ValueError` what Go refuses."""

from __future__ import annotations

import re

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[\da-fA-F]{2})|u(?P<u>[\da-fA-F]{4})|U(?P<U>[\da-fA-F]{8})|(?P<octal>[0-7]{3})|(?P<plain>.))"
)
_PLAIN = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", '"': '"', "'": "'",
}  # fmt: skip
_FLOAT_MARKS = frozenset(".eE")


def number(text: str) -> int | float:
    """An int, or a float when it is written as one: `5.0` and `5e3` are floats.

    Raises
    ------
    ValueError
        If it does not fit 64 bits.
    """
    digits = text.replace("_", "")
    body = digits.lstrip("+-")
    based = body[:2].lower() in {"0x", "0b", "0o"}
    if not based and _FLOAT_MARKS & set(body):
        return float(digits)
    old_octal = not based and len(body) > 1 and body.startswith("0")
    value = int(digits, 8) if old_octal else int(digits, 0)
    if not MIN_INT <= value <= MAX_INT:
        raise ValueError(f"{text} does not fit 64 bits")
    return value


def string(quoted: str) -> str:
    """The text of a string in double quotes or backquotes."""
    if quoted.startswith("`"):
        return quoted[1:-1].replace("\r", "")
    return _unescaped(quoted[1:-1], refused="'")


def character(quoted: str) -> int:
    """The code point of a character in single quotes."""
    text = _unescaped(quoted[1:-1], refused='"')
    if len(text) != 1:
        raise ValueError(f"{quoted} is not one character")
    return ord(text)


def _unescaped(body: str, *, refused: str) -> str:
    def meant(match: re.Match[str]) -> str:
        code = match["u"] or match["U"] or match["x"]
        if code:
            return chr(int(code, 16))
        if match["octal"]:
            return chr(int(match["octal"], 8))
        plain = match["plain"]
        if plain == refused or plain not in _PLAIN:
            raise ValueError(f"unknown escape \\{plain}")
        return _PLAIN[plain]

    return _ESCAPE.sub(meant, body)
