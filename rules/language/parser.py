"""Text to tree. In: a PromQL expression. Out: its `Expr`. Refused: what is too long, too deep, or malformed.

A parser of our own, by operator precedence: the `promql-parser` package knows neither duration expressions
nor `anchored` and `smoothed`, crashes on deep nesting and gives no positions (docs/decisions/0001). It knows
the grammar of Prometheus 3 with its experimental parts; native histograms are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from rules.language import types
from rules.language.clauses import read_at, read_label_names, read_matchers, read_matching
from rules.language.durations import parse_offset, parse_window
from rules.language.errors import ParseError
from rules.language.lexer import ENDLESS, Token, TokenStream, number_of, seconds_of, unquote
from rules.language.modifiers import range_selector, subquery, with_at, with_extension, with_offset
from rules.language.syntax import AGGREGATIONS, PRECEDENCE, UNARY_PRECEDENCE, Expr, Number, Selector, String

_Node = TypeVar("_Node")

_RESERVED = frozenset({"bool", "on", "ignoring", "group_left", "group_right", "atan2"})
# Words of the grammar that are functions too: in any case, unlike the other functions.
_CALLABLE_WORDS = frozenset({"start", "end", "step", "range", "max_of", "min_of"})


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """How large an expression may be. Checked before or while parsing, so that none can stall a worker."""

    max_length: int = 65_536
    """Characters."""
    max_nesting: int = 64
    """Parentheses, calls and signs inside one another."""
    max_operators: int = 200
    """Binary operators in all: a chain of them is as deep as it is long."""


DEFAULT_LIMITS = ParseLimits()


def parse(text: str, limits: ParseLimits = DEFAULT_LIMITS) -> Expr:
    """The tree of an expression.

    Raises
    ------
    ParseError
        With position and reason, for text that is no expression or exceeds the limits.
    """
    if len(text) > limits.max_length:
        raise ParseError(f"expression has {len(text)} characters, limit is {limits.max_length}")
    return _Parser(text, limits).whole()


class _Parser:
    def __init__(self, text: str, limits: ParseLimits) -> None:
        self._tokens = TokenStream(text)
        self._limits = limits
        self._depth = 0
        self._operators = 0

    def whole(self) -> Expr:
        """The whole text as one expression."""
        tokens = self._tokens
        if tokens.at_end():
            raise tokens.error("no expression found in input", tokens.next)
        expr = self._expression(0)
        if not tokens.at_end():
            tokens.refuse("expression")
        return expr

    def _expression(self, weakest: int) -> Expr:
        """An expression whose operators bind stronger than `weakest`."""
        self._depth += 1
        if self._depth > self._limits.max_nesting:
            raise self._tokens.error(
                f"expression is nested deeper than {self._limits.max_nesting} levels", self._tokens.next
            )
        left = self._operand()
        while True:
            token = self._tokens.next
            if token.text in {"</", ">/"}:
                raise self._tokens.error("native histograms are not supported", token)
            op = token.keyword or token.text
            strength = PRECEDENCE.get(op, 0) if token.kind in {"op", "name"} else 0
            if strength <= weakest:
                break
            left = self._binary(op, left, strength)
        self._depth -= 1
        return left

    def _binary(self, op: str, left: Expr, strength: int) -> Expr:
        token = self._tokens.read()
        self._operators += 1
        if self._operators > self._limits.max_operators:
            raise self._tokens.error(
                f"expression has more than {self._limits.max_operators} operators", token
            )
        return_bool = self._tokens.read_keyword("bool") is not None
        matching = read_matching(self._tokens)
        right = self._expression(strength - 1 if op == "^" else strength)
        return self._checked(
            token, lambda: types.binary(op, left, right, return_bool=return_bool, matching=matching)
        )

    def _operand(self) -> Expr:
        tokens = self._tokens
        token = tokens.next
        if sign := tokens.read_op("+", "-"):
            operand = self._expression(UNARY_PRECEDENCE)
            if sign.text == "-":
                return self._checked(sign, lambda: types.negation(operand))
            self._checked(sign, lambda: types.expect_signable(operand))
            return operand
        return self._with_postfixes(self._primary(token), token)

    def _primary(self, token: Token) -> Expr:
        tokens = self._tokens
        if token.kind in {"number", "duration", "string"}:
            return self._literal(tokens.read())
        if tokens.read_op("("):
            inner = self._expression(0)
            tokens.expect_op(")", "parentheses")
            return inner
        if token.text == "{":
            return self._selector("")
        if token.kind == "name" and token.keyword not in _RESERVED:
            return self._named(token)
        return tokens.refuse("expression")

    def _literal(self, token: Token) -> Expr:
        if token.kind == "string":
            return String(unquote(token, self._tokens.text))
        return Number(number_of(token.text) if token.kind == "number" else seconds_of(token.text))

    def _named(self, token: Token) -> Expr:
        tokens, following = self._tokens, self._tokens.after_next
        if token.keyword in ENDLESS:
            tokens.read()
            return Number(ENDLESS[token.keyword])
        opens = following.text == "("
        if token.keyword in AGGREGATIONS and (opens or following.keyword in {"by", "without"}):
            return self._aggregate()
        if opens:
            return self._call()
        tokens.read()
        return self._selector(token.text)

    def _call(self) -> Expr:
        name = self._tokens.read()
        known = name.keyword if name.keyword in _CALLABLE_WORDS else name.text
        arguments = self._arguments(in_info=known == "info")
        return self._checked(name, lambda: types.call(known, arguments))

    def _arguments(self, *, in_info: bool = False) -> tuple[Expr, ...]:
        tokens = self._tokens
        tokens.expect_op("(", "function call")
        arguments: list[Expr] = []
        if tokens.read_op(")"):
            return ()
        while True:
            if in_info and arguments and tokens.next.text == "{":
                # Here alone a selector may accept everything: it picks labels of info metrics.
                arguments.append(Selector(read_matchers(tokens, "")))
            else:
                arguments.append(self._expression(0))
            if comma := tokens.read_op(","):
                if tokens.next.text == ")":
                    raise tokens.error("trailing commas not allowed in function call args", comma)
                continue
            tokens.expect_op(")", "function call")
            return tuple(arguments)

    def _aggregate(self) -> Expr:
        op = self._tokens.read()
        modifier = self._tokens.read_keyword("by", "without")
        grouping = read_label_names(self._tokens) if modifier else ()
        arguments = self._arguments()
        if modifier is None:
            modifier = self._tokens.read_keyword("by", "without")
            grouping = read_label_names(self._tokens) if modifier else ()
        without = modifier is not None and modifier.keyword == "without"
        return self._checked(op, lambda: types.aggregate(op.keyword, arguments, grouping, without=without))

    def _selector(self, name: str) -> Expr:
        """A selector whose metric name, if it has one before the braces, is already read."""
        token = self._tokens.next
        matchers = read_matchers(self._tokens, name)
        return self._checked(token, lambda: types.selector(Selector(matchers)))

    def _with_postfixes(self, expr: Expr, start: Token) -> Expr:
        """The expression with all windows and modifiers that follow it."""
        tokens = self._tokens
        while True:
            token = tokens.next
            if tokens.read_op("["):
                expr = self._windowed(expr, token)
            elif tokens.read_keyword("offset"):
                expr = self._checked(start, partial(with_offset, expr, parse_offset(tokens)))
            elif tokens.read_op("@"):
                expr = self._checked(start, partial(with_at, expr, read_at(tokens)))
            elif tokens.read_keyword("anchored"):
                expr = self._checked(start, partial(with_extension, expr, "anchored"))
            elif tokens.read_keyword("smoothed"):
                expr = self._checked(start, partial(with_extension, expr, "smoothed"))
            else:
                return expr

    def _windowed(self, expr: Expr, bracket: Token) -> Expr:
        tokens = self._tokens
        window = parse_window(tokens)
        if tokens.read_op(":"):
            step = None if tokens.next.text == "]" else parse_window(tokens)
            tokens.expect_op("]", "subquery selector")
            return self._checked(bracket, lambda: subquery(expr, window, step))
        tokens.expect_op("]", "subquery or range")
        return self._checked(bracket, lambda: range_selector(expr, window))

    def _checked(self, token: Token, build: Callable[[], _Node]) -> _Node:
        """What `build` makes; a mismatch or a bad matcher is reported at the token."""
        try:
            return build()
        except types.TypeMismatch as mismatch:
            raise self._tokens.error(str(mismatch), token) from None
