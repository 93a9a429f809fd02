"""The parts of an expression that hold no expression: matchers, label lists, vector matching, the `@` time.

In: the token stream at the first token of the clause. Out: the clause, the stream behind it. Refused, at its
position: a clause that is malformed.
"""

from __future__ import annotations

import math
from typing import Literal

from alertsite.core.errors import InvalidLabels
from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp
from rules.language.lexer import ENDLESS, Token, TokenStream, number_of, seconds_of, unquote
from rules.language.syntax import AtModifier, Matching

_MATCH_OPS = {op.value: op for op in MatchOp}


def read_matchers(tokens: TokenStream, name: str) -> tuple[Matcher, ...]:
    """The matchers in braces, if any, with the equality on the metric name first."""
    matchers: list[Matcher] = [Matcher(METRIC_NAME, MatchOp.EQUAL, name)] if name else []
    opening = tokens.read_op("{")
    while opening and not tokens.read_op("}"):
        token = tokens.next
        matcher = _read_matcher(tokens)
        if name and matcher.name == METRIC_NAME:
            raise tokens.error(f'metric name must not be set twice: "{name}" or "{matcher.value}"', token)
        matchers.append(matcher)
        if not tokens.read_op(",") and tokens.next.text != "}":
            tokens.refuse("label matching", '"," or "}"')
    matchers.sort(key=lambda matcher: (matcher.name, matcher.op) != (METRIC_NAME, MatchOp.EQUAL))
    return tuple(matchers)


def _read_matcher(tokens: TokenStream) -> Matcher:
    label = tokens.next
    if label.kind not in {"name", "string"}:
        tokens.refuse("label matching", 'identifier or "}"')
    name = _label_of(tokens.read(), tokens)
    op = tokens.read_op(*_MATCH_OPS)
    if op is None:
        if label.kind == "string" and tokens.next.text in {",", "}"}:
            return Matcher(METRIC_NAME, MatchOp.EQUAL, name)
        tokens.refuse("label matching", "label matching operator")
    if tokens.next.kind != "string":
        tokens.refuse("label matching", "string")
    value = unquote(tokens.read(), tokens.text)
    try:
        return Matcher(name, _MATCH_OPS[op.text], value)
    except InvalidLabels as error:
        raise tokens.error(str(error), label) from None


def _label_of(token: Token, tokens: TokenStream) -> str:
    name = unquote(token, tokens.text) if token.kind == "string" else token.text
    if not name or (token.kind == "name" and ":" in name):
        raise tokens.error(f'invalid label name: "{name}"', token)
    return name


def read_label_names(tokens: TokenStream) -> tuple[str, ...]:
    """Label names in parentheses; a last comma is allowed."""
    tokens.expect_op("(", "grouping opts")
    names: list[str] = []
    while not tokens.read_op(")"):
        if tokens.next.kind not in {"name", "string"}:
            tokens.refuse("grouping opts", "label")
        names.append(_label_of(tokens.read(), tokens))
        if not tokens.read_op(",") and tokens.next.text != ")":
            tokens.refuse("grouping opts", '"," or ")"')
    return tuple(names)


def read_matching(tokens: TokenStream) -> Matching:
    """`on`, `ignoring`, `group_left`, `group_right` and `fill` as far as they are there."""
    mode = tokens.read_keyword("on", "ignoring")
    labels = read_label_names(tokens) if mode else ()
    side: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()
    if mode and (group := tokens.read_keyword("group_left", "group_right")):
        side = "left" if group.keyword == "group_left" else "right"
        if tokens.next.text == "(":
            include = read_label_names(tokens)
    fills = _read_fills(tokens)
    on = mode is not None and mode.keyword == "on"
    return Matching(on, labels, side, include, fills.get("left"), fills.get("right"))


def _read_fills(tokens: TokenStream) -> dict[str, float]:
    fills: dict[str, float] = {}
    # Before anything but a parenthesis these words are metric names.
    while tokens.next.keyword in {"fill", "fill_left", "fill_right"} and tokens.after_next.text == "(":
        word = tokens.read()
        sides = ("left", "right") if word.keyword == "fill" else (word.keyword.removeprefix("fill_"),)
        if fills.keys() & {*sides}:
            raise tokens.error(f"{word.keyword} may not be set twice", word)
        tokens.expect_op("(", "fill")
        value = _read_signed_number(tokens, "fill")
        tokens.expect_op(")", "fill")
        fills |= dict.fromkeys(sides, value)
    return fills


def _read_signed_number(tokens: TokenStream, context: str) -> float:
    sign = tokens.read_op("+", "-")
    token = tokens.next
    if token.kind == "number":
        value = number_of(token.text)
    elif token.kind == "duration":
        value = seconds_of(token.text)
    elif token.keyword in ENDLESS:
        value = ENDLESS[token.keyword]
    else:
        tokens.refuse(context, "number")
    tokens.read()
    return -value if sign and sign.text == "-" else value


def read_at(tokens: TokenStream) -> AtModifier:
    """The time after `@`: seconds since the epoch, `start()` or `end()`."""
    token = tokens.next
    if bound := tokens.read_keyword("start", "end"):
        tokens.expect_op("(", "@")
        tokens.expect_op(")", "@")
        return "start" if bound.keyword == "start" else "end"
    seconds = _read_signed_number(tokens, "@")
    if not math.isfinite(seconds) or abs(seconds) >= 2**63 / 1000:
        raise tokens.error(f"timestamp out of bounds for @ modifier: {seconds}", token)
    return round(seconds * 1000)
