"""Text to tokens. In: the text of an expression. Out: tokens with offsets. Refused: what begins no token."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn, TypeAlias

from alertsite.core.durations import parse_duration_ms
from rules.language.errors import ParseError

Kind: TypeAlias = Literal["name", "number", "duration", "string", "op", "end"]

_DURATION = r"(?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_.]))"
_NUMBER = (
    r"(?P<number>(?:0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
    r"|(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?)(?![A-Za-z0-9_.]))"
)
_STRING = r"(?P<string>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`)"
_OP = r"(?P<op>==|!=|<=|>=|=~|!~|</|>/|[-+*/%^(){}\[\],=<>@:])"
_BLANK = r"(?P<blank>[ \t\r\n]+|#[^\n]*)"
_REST = f"{_DURATION}|{_NUMBER}|{_STRING}|{_OP}"
_OUTSIDE = re.compile(rf"{_BLANK}|(?P<name>[A-Za-z_:][\w:]*)|{_REST}", re.ASCII)
# Between brackets a colon separates window from step, so it is never part of a name.
_IN_BRACKETS = re.compile(rf"{_BLANK}|(?P<name>[A-Za-z_]\w*)|{_REST}", re.ASCII)

_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\'\"])|(.|$))",
    re.DOTALL,
)
_SIMPLE_ESCAPES = dict(zip(b"abfnrtv\\'\"", b"\a\b\f\n\r\t\v\\'\"", strict=True))

ENDLESS = {"inf": float("inf"), "nan": float("nan")}
"""Names that are numbers, in lower case; they may be written in any."""


class Token(NamedTuple):
    """One token: its text as written and its offset in the expression."""

    kind: Kind
    text: str
    position: int

    @property
    def keyword(self) -> str:
        """The word in lower case, since keywords have no case; empty for anything but a name."""
        return self.text.lower() if self.kind == "name" else ""


def tokenize(text: str) -> list[Token]:
    """All tokens, ended by one of kind `end`; blanks and comments are left out.

    Raises
    ------
    ParseError
        At a character that begins no token: a bad number, an unterminated string, anything else.
    """
    tokens: list[Token] = []
    position, pattern = 0, _OUTSIDE
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise ParseError(_why_not(text, position), text=text, position=position)
        kind, word = match.lastgroup, match.group()
        if kind != "blank":
            tokens.append(Token(kind, word, position))  # type: ignore[arg-type] # group names are the kinds
            if word == "[":
                pattern = _IN_BRACKETS
            elif word == "]":
                pattern = _OUTSIDE
        position = match.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _why_not(text: str, position: int) -> str:
    character = text[position]
    if character in "\"'`":
        return "unterminated quoted string"
    if character.isdigit() or character == ".":
        word = re.match(r"[\w.]*", text[position:])
        return f"bad number or duration syntax: {word.group() if word else character!r}"
    return f"unexpected character: {character!r}"


def number_of(word: str) -> float:
    """The value of a number token: decimal, hexadecimal, or octal after a zero; underscores mean nothing."""
    plain = word.replace("_", "")
    if plain[:2] in {"0x", "0X"}:
        return float(int(plain, 16))
    if re.fullmatch(r"0[0-7]+", plain):
        return float(int(plain, 8))
    return float(plain)


def seconds_of(word: str) -> float:
    """The seconds of a duration token."""
    return parse_duration_ms(word) / 1000


def unquote(token: Token, text: str) -> str:
    """The string that a string token stands for.

    Raises
    ------
    ParseError
        For an escape that Go does not know, or bytes that are not UTF-8: no label could hold them.
    """
    body = token.text[1:-1]
    if token.text[0] == "`" or "\\" not in body:
        return body

    def replace(match: re.Match[bytes]) -> bytes:
        """What one escape stands for."""
        two, octal, four, eight, simple, _ = match.groups()
        if two:
            return bytes([int(two, 16)])
        if octal and int(octal, 8) < 256:
            return bytes([int(octal, 8)])
        if four or eight:
            return _encoded(int(four or eight, 16), token, text)
        if simple and (simple not in b"'\"" or simple == token.text[0].encode()):
            return bytes([_SIMPLE_ESCAPES[simple[0]]])
        raise ParseError("unknown escape sequence in string", text=text, position=token.position)

    try:
        return _ESCAPE.sub(replace, body.encode()).decode()
    except UnicodeDecodeError:
        raise ParseError("string is not valid UTF-8", text=text, position=token.position) from None


def _encoded(code_point: int, token: Token, text: str) -> bytes:
    if code_point > 0x10FFFF or 0xD800 <= code_point < 0xE000:
        raise ParseError("escape sequence is no Unicode code point", text=text, position=token.position)
    return chr(code_point).encode()


class TokenStream:
    """The tokens of one text, read once from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def next(self) -> Token:
        """The token to be read next."""
        return self._tokens[self._at]

    @property
    def after_next(self) -> Token:
        """The token after it; the last token is followed by itself."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def at_end(self) -> bool:
        """Whether all tokens are read."""
        return self.next.kind == "end"

    def read(self) -> Token:
        """The next token, which is consumed unless it is the end."""
        token = self._tokens[self._at]
        if token.kind != "end":
            self._at += 1
        return token

    def read_op(self, *ops: str) -> Token | None:
        """The next token if it is one of these operators."""
        token = self._tokens[self._at]
        return self.read() if token.kind == "op" and token.text in ops else None

    def read_keyword(self, *words: str) -> Token | None:
        """The next token if it is one of these keywords, in any case."""
        return self.read() if self.next.keyword in words else None

    def expect_op(self, op: str, context: str) -> Token:
        """The operator that must come here.

        Raises
        ------
        ParseError
            If something else comes.
        """
        return self.read_op(op) or self.refuse(context, f'"{op}"')

    def refuse(self, context: str, expected: str = "") -> NoReturn:
        """Raise `ParseError` for the next token, in Prometheus's words."""
        token = self.next
        seen = {"end": "end of input", "name": f'identifier "{token.text}"'}.get(token.kind, token.text)
        wanted = f", expected {expected}" if expected else ""
        raise self.error(f"unexpected {seen} in {context}{wanted}", token)

    def error(self, reason: str, token: Token) -> ParseError:
        """A `ParseError` at this token."""
        return ParseError(reason, text=self.text, position=token.position)
