"""Matchers over label sets, in Alertmanager's two notations.

In: text such as `{severity="critical",team=~"db.*"}`, with or without braces. Out: `Matcher` values. Both
the UTF-8 notation (quoted or bare names and values, Go's escapes) and the classic one are read; where
both accept a text and disagree the classic one wins, as in Alertmanager. Refused, with the position: what
neither can read, regular expressions RE2 refuses, texts and lists beyond the caps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from alertsite.core.errors import InvalidLabels
from alertsite.core.labels import MatchOp, compile_regex
from rules.alerts.errors import InvalidMatcher

MAX_TEXT_LENGTH = 16_384
MAX_MATCHERS = 64

_REGEX_OPS = frozenset({MatchOp.REGEX, MatchOp.NOT_REGEX})
_POSITIVE_OPS = frozenset({MatchOp.EQUAL, MatchOp.REGEX})
_OP = re.compile(r"=~|!=|!~|=")
_BARE = re.compile(r"[^\s{}!=~,\\\"'`]+")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.DOTALL)
_SPACE = re.compile(r"\s*")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|.)", re.DOTALL
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_CLASSIC = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL)
_CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_MAX_CODE_POINT = 0x10FFFF


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is absent reads as the empty string."""

    name: str
    op: MatchOp
    value: str
    _test: Callable[[str], bool] | None = field(init=False, repr=False, compare=False)
    _wanted: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            test = compile_regex(self.value) if self.op in _REGEX_OPS else None
        except InvalidLabels as error:
            raise InvalidMatcher(str(error)) from None
        object.__setattr__(self, "_test", test)
        object.__setattr__(self, "_wanted", self.op in _POSITIVE_OPS)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the label set satisfies this matcher."""
        value = labels.get(self.name, "")
        found = value == self.value if self._test is None else self._test(value)
        return found is self._wanted

    @property
    def text(self) -> str:
        """The matcher as it may be read back: `name="value"`, the name quoted when it must be."""
        name = self.name if _CLASSIC_NAME.fullmatch(self.name) else f'"{_escape(self.name)}"'
        return f'{name}{self.op.value}"{_escape(self.value)}"'


Matchers: TypeAlias = tuple[Matcher, ...]


def matches_all(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether the label set satisfies every matcher; an empty list is satisfied by all."""
    for matcher in matchers:  # noqa: SIM110 (a generator would double the cost of the hottest loop)
        if not matcher.matches(labels):
            return False
    return True


def equalities(matchers: Iterable[Matcher]) -> list[tuple[str, str]]:
    """The (name, value) pairs a label set must hold to satisfy the matchers: a cheap first test."""
    return [
        (matcher.name, matcher.value) for matcher in matchers if matcher.op is MatchOp.EQUAL and matcher.value
    ]


def format_matchers(matchers: Iterable[Matcher]) -> str:
    """The list in braces, as `parse_matchers` reads it."""
    return "{" + ",".join(matcher.text for matcher in matchers) + "}"


def parse_matcher(text: str) -> Matcher:
    """Exactly one matcher, without braces.

    Raises
    ------
    InvalidMatcher
        If the text is not one matcher.
    """
    if text.lstrip().startswith("{"):
        raise InvalidMatcher("a single matcher has no braces", position=text.index("{"))
    found = parse_matchers(text)
    if len(found) != 1:
        raise InvalidMatcher(f"expected one matcher, found {len(found)}")
    return found[0]


def parse_matchers(text: str) -> Matchers:
    """All matchers of a text, in order; empty braces and the empty text hold none.

    Raises
    ------
    InvalidMatcher
        With the position of the first character that neither notation accepts, or if a cap is exceeded.
    """
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidMatcher(f"text has {len(text)} characters, limit is {MAX_TEXT_LENGTH}")
    try:
        modern = _Utf8Reader(text).read()
    except InvalidMatcher as refusal:
        classic = _read_classic(text)
        if classic is None:
            raise refusal from None
        return _bounded(classic)
    return _bounded(_read_classic(text) or modern)


def _bounded(matchers: Matchers) -> Matchers:
    if len(matchers) > MAX_MATCHERS:
        raise InvalidMatcher(f"{len(matchers)} matchers, limit is {MAX_MATCHERS}")
    return matchers


class _Utf8Reader:
    """Reads the UTF-8 notation from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def read(self) -> Matchers:
        """Every matcher, to the end of the text."""
        self._skip_space()
        braces = self._take("{")
        found = self._list(closing="}" if braces else "")
        if braces and not self._take("}"):
            raise self._refusal("expected a closing brace")
        self._skip_space()
        if self._position < len(self._text):
            raise self._refusal(f"unexpected {self._text[self._position]!r}")
        return found

    def _list(self, *, closing: str) -> Matchers:
        found: list[Matcher] = []
        while not self._at_end(closing):
            found.append(self._matcher())
            self._skip_space()
            if not self._take(","):
                break
        return tuple(found)

    def _at_end(self, closing: str) -> bool:
        self._skip_space()
        rest = self._text[self._position : self._position + 1]
        return rest in {"", closing}

    def _matcher(self) -> Matcher:
        begin = self._position
        name = self._word("label name")
        if not name:
            raise InvalidMatcher("label name is empty", position=begin)
        self._skip_space()
        op = _OP.match(self._text, self._position)
        if op is None:
            raise self._refusal("expected one of = != =~ !~")
        self._position = op.end()
        self._skip_space()
        at = self._position
        value = self._word("label value")
        try:
            return Matcher(name, MatchOp(op.group()), value)
        except InvalidMatcher as error:
            raise InvalidMatcher(error.reason, position=at) from None

    def _word(self, what: str) -> str:
        quoted = _QUOTED.match(self._text, self._position)
        if quoted is not None:
            value = _unquote(quoted.group(1), self._position + 1)
            self._position = quoted.end()
            return value
        bare = _BARE.match(self._text, self._position)
        if bare is None:
            raise self._refusal(f"expected a {what}")
        self._position = bare.end()
        return bare.group()

    def _take(self, character: str) -> bool:
        if self._text.startswith(character, self._position):
            self._position += 1
            return True
        return False

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._position)
        assert space is not None
        self._position = space.end()

    def _refusal(self, reason: str) -> InvalidMatcher:
        if self._position >= len(self._text):
            reason = f"{reason}, found the end"
        return InvalidMatcher(reason, position=self._position)


def _unquote(text: str, offset: int) -> str:
    """The value of a quoted word, by Go's rules for escapes."""

    def replace(match: re.Match[str]) -> str:
        """What one escape stands for."""
        control, *numbers, octal = match.groups()
        if control is not None:
            return _CONTROL[control]
        digits = next((number for number in numbers if number is not None), None)
        code = int(digits, 16) if digits is not None else int(octal, 8) if octal is not None else -1
        if not 0 <= code <= _MAX_CODE_POINT or 0xD800 <= code <= 0xDFFF:
            raise InvalidMatcher(f"unknown escape {match.group()!r}", position=offset + match.start())
        return chr(code)

    return _ESCAPE.sub(replace, text)


def _read_classic(text: str) -> Matchers | None:
    """The classic notation, in which a value may be bare and unknown escapes stand for themselves."""
    inner = text.strip()
    if inner.startswith("{") != inner.endswith("}"):
        return None
    inner = inner.removeprefix("{").removesuffix("}")
    found: list[Matcher] = []
    for token in _split_at_commas(inner):
        match = _CLASSIC.fullmatch(token)
        value = None if match is None else _classic_value(match.group(3))
        if match is None or value is None:
            return None
        try:
            found.append(Matcher(match.group(1), MatchOp(match.group(2)), value))
        except InvalidMatcher:
            return None
    return tuple(found)


def _split_at_commas(text: str) -> list[str]:
    """Cut at commas outside of quotes; a last token of nothing but space is none."""
    tokens: list[str] = []
    begin, quoted, escaped = 0, False, False
    for position, character in enumerate(text):
        if character == "," and not quoted:
            tokens.append(text[begin:position])
            begin = position + 1
        elif character == '"' and not escaped:
            quoted = not quoted
        escaped = character == "\\" and not escaped
    rest = text[begin:]
    return [*tokens, rest] if rest.strip() else tokens


def _classic_value(raw: str) -> str | None:
    quoted = raw.startswith('"')
    if quoted:
        if len(raw) < len('""') or not raw.endswith('"'):
            return None
        raw = raw[1:-1]
    value = re.sub(r'\\([n"\\])', lambda match: "\n" if match.group(1) == "n" else match.group(1), raw)
    bare_quote = re.search(r'(?<!\\)(?:\\\\)*"', raw)
    dangling = quoted and re.search(r"(?<!\\)(?:\\\\)*\\\Z", raw)
    return None if bare_quote or dangling else value


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
