"""A template's text cut into tokens.

Text and actions in, tokens with their offsets out. Trim markers and comments are applied here and leave no
token. Refuses unclosed actions, comments and quotes, bad numbers and characters.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.notify.gotemplate.errors import Position, TemplateMalformed

OPEN, CLOSE = "{{", "}}"
_SPACES = " \t\r\n"
_TRIM_AFTER_OPEN = re.compile(r"\{\{-[ \t\r\n]")
_CLOSE = re.compile(r"(?:[ \t\r\n]-)?\}\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_NUMBER = (
    r"[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+"
    r"|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)"
)
_TOKEN = re.compile(
    rf"""
    (?P<SPACE>[ \t\r\n]+)
  | (?P<NUMBER>{_NUMBER})
  | (?P<STRING>"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`)
  | (?P<CHARACTER>'(?:[^'\\\n]|\\[^\n])+')
  | (?P<VARIABLE>\$\w*)
  | (?P<FIELD>\.\w+)
  | (?P<DOT>\.)
  | (?P<WORD>[^\W\d]\w*)
  | (?P<DECLARE>:=)
  | (?P<ASSIGN>=)
  | (?P<PIPE>\|)
  | (?P<LEFT>\()
  | (?P<RIGHT>\))
  | (?P<COMMA>,)
    """,
    re.VERBOSE,
)


class Kind(enum.Enum):
    """What a token is."""

    TEXT = "text"
    END = "the end of the action"
    SPACE = "a space"
    NUMBER = "a number"
    STRING = "a string"
    CHARACTER = "a character"
    VARIABLE = "a variable"
    FIELD = "a field"
    DOT = "a dot"
    WORD = "a word"
    DECLARE = ":="
    ASSIGN = "="
    PIPE = "|"
    LEFT = "("
    RIGHT = ")"
    COMMA = "a comma"


_NAMES = frozenset({Kind.VARIABLE, Kind.FIELD, Kind.WORD, Kind.NUMBER})
_AFTER_NAME = frozenset(" \t\r\n.,|:()")
"""What may follow a name. Anything else, as in `$labels-name`, is a slip that would otherwise be misread."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template and where it starts."""

    kind: Kind
    text: str
    at: int


def tokenize(text: str) -> Iterator[Token]:
    """Cut a template into tokens, empty text left out.

    Raises
    ------
    TemplateMalformed
        At the first place that cannot be read.
    """
    at = 0
    trim = False
    while at < len(text):
        start = text.find(OPEN, at)
        end = len(text) if start < 0 else start
        shown = text[at:end].lstrip(_SPACES) if trim else text[at:end]
        trim = _TRIM_AFTER_OPEN.match(text, end) is not None
        shown = shown.rstrip(_SPACES) if trim else shown
        if shown:
            yield Token(Kind.TEXT, shown, at)
        if start < 0:
            return
        tokens, at, trim = _action(text, start, start + (4 if trim else 2))
        yield from tokens


def _action(text: str, start: int, at: int) -> tuple[list[Token], int, bool]:
    """Tokens of the action at `start`, where the text goes on, and whether its spaces are trimmed."""
    if text.startswith("/*", at):
        return _comment(text, start, at)
    tokens: list[Token] = []
    while True:
        close = _CLOSE.match(text, at)
        if close is not None:
            tokens.append(Token(Kind.END, CLOSE, at))
            return tokens, close.end(), close.end() - close.start() > 2
        token = _token(text, start, at)
        tokens.append(token)
        at += len(token.text)


def _comment(text: str, start: int, at: int) -> tuple[list[Token], int, bool]:
    end = _COMMENT.match(text, at)
    if end is None:
        raise TemplateMalformed(Position.of(text, start), "the comment is not closed")
    close = _CLOSE.match(text, end.end())
    if close is None:
        raise TemplateMalformed(Position.of(text, end.end()), f"{CLOSE} must follow a comment at once")
    return [], close.end(), close.end() - close.start() > 2


def _token(text: str, start: int, at: int) -> Token:
    match = _TOKEN.match(text, at)
    if match is None:
        raise TemplateMalformed(*_unreadable(text, start, at))
    kind = Kind[str(match.lastgroup)]
    following = text[match.end() : match.end() + 1]
    closes = text.startswith(CLOSE, match.end())
    if kind in _NAMES and following and not closes and following not in _AFTER_NAME:
        reason = f"unexpected {following!r} right after {match[0]!r}"
        raise TemplateMalformed(Position.of(text, match.end()), reason)
    return Token(kind, match[0], at)


def _unreadable(text: str, start: int, at: int) -> tuple[Position, str]:
    """Where and why no token starts at `at`."""
    character = text[at : at + 1]
    if not character:
        return Position.of(text, start), f"the action is not closed: no {CLOSE}"
    if character in "\"'`":
        return Position.of(text, at), f"the quote {character} is not closed"
    return Position.of(text, at), f"unexpected character {character!r}"
