"""Conditions of steps: `labels.severity == "critical" and not results.look.held`.

In: text. Out: whether it holds in a scope. It compares, and joins with `and`, `or`, `not` and parentheses;
it calls, computes and assigns nothing. Refused, with the position: everything else, and what is too long or
deep. A label that is not there reads as the empty text, as in matchers; another value that is not there
equals nothing.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from alertsite.core.errors import InvalidLabels
from alertsite.core.labels import compile_regex
from healing.playbooks.errors import InvalidText
from healing.playbooks.references import Reference, Scalar, Scope, parse_reference

MAX_TEXT: Final = 2_000
MAX_DEPTH: Final = 32
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<op>==|!=|=~|!~|<=|>=|<|>)|(?P<paren>[()])|(?P<text>\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*(?:\[\"[^\"\\\]\n]*\"\])?))"
)
_WORDS: Final = {"true": True, "false": False}
_JOINS: Final = frozenset({"and", "or", "not"})
_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as written."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values, compared."""

    op: str
    left: Literal | Reference
    right: Literal | Reference


@dataclass(frozen=True, slots=True)
class Join:
    """`and`, `or` over several, `not` over one."""

    op: str
    parts: tuple[Condition, ...]


Condition: TypeAlias = Literal | Reference | Compare | Join


def parse_condition(text: str) -> Condition:
    """The condition that a text is.

    Raises
    ------
    InvalidText
    """
    if len(text) > MAX_TEXT:
        raise InvalidText(f"condition has {len(text)} characters, limit is {MAX_TEXT}")
    reader = _Reader(list(_tokens(text)))
    found = reader.either(0)
    if reader.kind != "end":
        raise InvalidText(f"at {reader.place}: unexpected {reader.token!r}")
    return found


def holds(condition: Condition, scope: Scope) -> bool:
    """Whether it holds."""
    if isinstance(condition, Join):
        if condition.op == "not":
            return not holds(condition.parts[0], scope)
        joined = all if condition.op == "and" else any
        return joined(holds(part, scope) for part in condition.parts)
    if isinstance(condition, Compare):
        return _compare(condition, _value(condition.left, scope), _value(condition.right, scope))
    return bool(_value(condition, scope))


def references_of(condition: Condition) -> Iterator[Reference]:
    """Everything it reads."""
    if isinstance(condition, Reference):
        yield condition
    elif isinstance(condition, Compare):
        yield from references_of(condition.left)
        yield from references_of(condition.right)
    elif isinstance(condition, Join):
        for part in condition.parts:
            yield from references_of(part)


def _value(part: Literal | Reference, scope: Scope) -> Scalar:
    if isinstance(part, Literal):
        return part.value
    value = scope.read(part)
    return "" if value is None and part.root in {"labels", "annotations"} else value


def _compare(condition: Compare, left: Scalar, right: Scalar) -> bool:
    if condition.op in {"=~", "!~"}:
        found = left is not None and compile_regex(str(right))(str(left))
        return found is (condition.op == "=~")
    if condition.op in {"==", "!="}:
        return _equal(left, right) is (condition.op == "==")
    first, second = _number(left), _number(right)
    return first is not None and second is not None and _ORDERS[condition.op](first, second)


def _equal(left: Scalar, right: Scalar) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    first, second = _number(left), _number(right)
    return first is not None and first == second


def _number(value: Scalar) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)
    except ValueError:
        return None


_Token: TypeAlias = tuple[str, str, int]
"""kind, text, position from one"""


def _tokens(text: str) -> Iterator[_Token]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise InvalidText(f"at {position + 1}: unexpected {text[position:][:10]!r}")
        yield match.lastgroup, match[match.lastgroup], match.start(match.lastgroup) + 1
        position = match.end()
    yield "end", "", end + 1


class _Reader:
    """Reads from left to right; `or` binds least, `not` most."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._next][0]

    @property
    def token(self) -> str:
        return self._tokens[self._next][1]

    @property
    def place(self) -> int:
        return self._tokens[self._next][2]

    def either(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise InvalidText(f"at {self.place}: nested deeper than {MAX_DEPTH} levels")
        return self._joined("or", lambda: self._joined("and", lambda: self._one(depth)))

    def _joined(self, word: str, read: Callable[[], Condition]) -> Condition:
        parts = [read()]
        while self._take("word", word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else Join(word, tuple(parts))

    def _one(self, depth: int) -> Condition:
        if self._take("word", "not"):
            if depth >= MAX_DEPTH:
                raise InvalidText(f"at {self.place}: nested deeper than {MAX_DEPTH} levels")
            return Join("not", (self._one(depth + 1),))
        if self._take("paren", "("):
            inner = self.either(depth + 1)
            if not self._take("paren", ")"):
                raise InvalidText(f"at {self.place}: a closing parenthesis is expected")
            return inner
        left = self._operand()
        if self.kind != "op":
            return left
        op = self._pass()
        right = self._operand()
        if op in {"=~", "!~"}:
            _check_pattern(right)
        return Compare(op, left, right)

    def _operand(self) -> Literal | Reference:
        kind, text, place = self._tokens[self._next]
        if kind not in {"text", "number", "word"} or text in _JOINS:
            raise InvalidText(f"at {place}: a value is expected, found {text or 'the end'!r}")
        self._pass()
        if kind == "number":
            return Literal(float(text))
        if kind == "text":
            return Literal(_unquoted(text, place))
        return Literal(_WORDS[text]) if text in _WORDS else parse_reference(text)

    def _take(self, kind: str, text: str) -> bool:
        if (self.kind, self.token) == (kind, text):
            self._next += 1
            return True
        return False

    def _pass(self) -> str:
        text = self.token
        self._next += 1
        return text


def _unquoted(text: str, place: int) -> str:
    try:
        return str(json.loads(text))
    except ValueError:
        raise InvalidText(f"at {place}: {text} has an escape that is none of JSON's") from None


def _check_pattern(part: Literal | Reference) -> None:
    if not isinstance(part, Literal) or not isinstance(part.value, str):
        raise InvalidText("a pattern stands as text in the playbook: it is not read from labels")
    try:
        compile_regex(part.value)
    except InvalidLabels as error:
        raise InvalidText(str(error)) from None
