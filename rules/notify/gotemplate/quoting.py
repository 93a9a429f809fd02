"""Text made safe for a place: Go's quoted strings, HTML, JavaScript."""

from __future__ import annotations

_NAMED = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip
_HTML = str.maketrans({"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SCRIPT = {
    "\\": r"\\", "'": r"\'", '"': r"\"", "<": r"\u003C", ">": r"\u003E", "&": r"\u0026", "=": r"\u003D",
}  # fmt: skip


def quoted(text: str) -> str:
    """In double quotes, as `%q`: what cannot be printed is escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def html(text: str) -> str:
    """Safe as the text or a quoted attribute of HTML."""
    return text.translate(_HTML)


def script(text: str) -> str:
    """Safe inside a quoted JavaScript string."""
    return "".join(
        _SCRIPT.get(character) or (character if character.isprintable() else f"\\u{ord(character):04X}")
        for character in text
    )


def _escaped(character: str) -> str:
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
