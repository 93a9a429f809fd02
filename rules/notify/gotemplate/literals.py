"""Go's literals to values: numbers, quoted strings, characters. Refuses with `ValueError` what Go refuses."""

from __future__ import annotations

import math
import re

MAX_INT = 2**63 - 1
MIN_INT = -(2**63)
_ESCAPE = re.compile(
    rb"\\(?:x(?P<x>[\da-fA-F]{2})|u(?P<u>[\da-fA-F]{4})|U(?P<U>[\da-fA-F]{8})|(?P<octal>[0-7]{3})|(?P<plain>.))"
)
_PLAIN = {
    b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v",
    b"\\": b"\\", b'"': b'"', b"'": b"'",
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
        value = float(digits)
        if not math.isfinite(value):
            raise ValueError("it does not fit 64 bits")
        return value
    old_octal = not based and len(body) > 1 and body.startswith("0")
    whole = int(digits, 8) if old_octal else int(digits, 0)
    if not MIN_INT <= whole <= MAX_INT:
        raise ValueError("it does not fit 64 bits")
    return whole


def string(quoted: str) -> str:
    """The text of a string in double quotes or backquotes. Bytes that are no UTF-8 become U+FFFD."""
    if quoted.startswith("`"):
        return quoted[1:-1].replace("\r", "")
    return _unescaped(quoted[1:-1], refused=b"'").decode(errors="replace")


def character(quoted: str) -> int:
    """The code point of a character in single quotes."""
    text = _unescaped(quoted[1:-1], refused=b'"').decode(errors="replace")
    if len(text) != 1:
        raise ValueError("it is not one character")
    return ord(text)


def _unescaped(body: str, *, refused: bytes) -> bytes:
    def meant(match: re.Match[bytes]) -> bytes:
        """What one escape stands for."""
        code = match["u"] or match["U"]
        if code:
            return chr(int(code, 16)).encode()  # refuses surrogates: a UnicodeEncodeError is a ValueError
        if match["x"] or match["octal"]:
            value = int(match["x"], 16) if match["x"] else int(match["octal"], 8)
            return bytes([value])
        plain = match["plain"]
        if plain == refused or plain not in _PLAIN:
            raise ValueError(f"unknown escape \\{plain.decode(errors='replace')}")
        return _PLAIN[plain]

    return _ESCAPE.sub(meant, body.encode())
