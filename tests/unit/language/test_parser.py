"""What parses, into what; and what is refused, where and why."""

from __future__ import annotations

import time

import pytest

from rules.language.errors import ParseError
from rules.language.format import format_expr
from rules.language.parser import ParseLimits, parse
from rules.language.syntax import Negation, Number, Selector


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        pytest.param("up", "up", id="metric"),
        pytest.param("{__name__='up',a='b',}", 'up{a="b"}', id="name in braces, single quotes, last comma"),
        pytest.param('{"a metric", "a label"=~"x"}', '{__name__="a metric", "a label"=~"x"}', id="any UTF-8"),
        pytest.param("SUM(x) BY (a)", "sum by (a) (x)", id="keywords in any case, clause behind"),
        pytest.param("sum", "sum", id="a keyword may name a metric"),
        pytest.param("1 + 2 * 3 ^ 4 ^ 5", "1 + 2 * 3 ^ 4 ^ 5", id="precedence needs no parentheses"),
        pytest.param("(1 + 2) * 3", "(1 + 2) * 3", id="but these"),
        pytest.param("(1 - 2) - (3 - 4)", "1 - 2 - (3 - 4)", id="left associative"),
        pytest.param("(2 ^ 3) ^ 4", "(2 ^ 3) ^ 4", id="power is right associative"),
        pytest.param("-x ^ 2", "-x ^ 2", id="power binds stronger than sign"),
        pytest.param("2 ^ -x * (-3) ^ 2 - -1", "2 ^ -x * (-3) ^ 2 - -1", id="signs on the right"),
        pytest.param("+x", "x", id="plus says nothing"),
        pytest.param("0x1F + 1_000 + .5 + 1e-3", "31 + 1000 + 0.5 + 0.001", id="numbers"),
        pytest.param("x > 5m", "x > 300", id="a duration is its seconds"),
        pytest.param("Inf - NaN", "+Inf - NaN", id="endless numbers"),
        pytest.param("x[1h30m] offset -5m @ 10.5", "x[1h30m] @ 10.500 offset -5m", id="modifiers"),
        pytest.param("x @ start() offset 1d", "x @ start() offset 1d", id="query bounds"),
        pytest.param("x[300]", "x[5m]", id="seconds as window"),
        pytest.param("x[(8 - 2) * 7s]", "x[42s]", id="computed window"),
        pytest.param("x[step() + 1s:]", "x[step() + 1:]", id="window from the query"),
        pytest.param("x offset -(2 * 30s)", "x offset -1m", id="computed offset"),
        pytest.param("x offset 1m + 5", "x offset 1m + 5", id="an offset ends before an operator"),
        pytest.param("rate(x[5m] anchored)", "rate(x[5m] anchored)", id="anchored"),
        pytest.param("(a or b)[1h:5m]", "(a or b)[1h:5m]", id="subquery"),
        pytest.param(
            "a * on(x) group_left(y) b", "a * on (x) group_left (y) b", id="matching with included labels"
        ),
        pytest.param("a + fill(0) b", "a + fill (0) b", id="fill"),
        pytest.param("a + fill", "a + fill", id="fill may name a metric"),
        pytest.param("a == bool 1", "a == bool 1", id="bool"),
        pytest.param(
            "holt_winters(x[1h], 0.5, 0.5)",
            "double_exponential_smoothing(x[1h], 0.5, 0.5)",
            id="a name of Prometheus 2",
        ),
        pytest.param("a # why\n+ b", "a + b", id="comment"),
        pytest.param("'\\x41\\u00e9\\n' ", '"Aé\\n"', id="escapes"),
        pytest.param("`\\n`", '"\\\\n"', id="raw string"),
    ],
)
def test_canonical_form(text, canonical):
    assert format_expr(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_sign_binds_weaker_than_power():
    tree = parse("-x ^ 2")
    assert isinstance(tree, Negation)
    assert parse("-5") == Number(-5.0)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        pytest.param("", 0, "no expression found in input", id="nothing"),
        pytest.param("sum(", 4, "unexpected end of input", id="unfinished"),
        pytest.param("a b", 2, 'unexpected identifier "b"', id="two expressions"),
        pytest.param("rat(x[5m])", 0, "did you mean 'rate'?", id="near miss"),
        pytest.param("histogram_sum(x)", 0, "native histograms", id="native histograms"),
        pytest.param("x </ 5", 2, "native histograms", id="histogram operator"),
        pytest.param("rate(x)", 0, "expected type range vector", id="wrong type"),
        pytest.param("rate(x[5m], 1)", 0, "expected 1 argument(s)", id="wrong number"),
        pytest.param("sum(x,)", 5, "trailing commas", id="trailing comma"),
        pytest.param("topk(x)", 0, "wrong number of arguments", id="missing parameter"),
        pytest.param("1 == 1", 2, "must use BOOL", id="scalar comparison"),
        pytest.param("a + bool b", 2, "bool modifier", id="bool on arithmetic"),
        pytest.param("1 and a", 2, "set operator", id="set operator on scalar"),
        pytest.param("a and on(x) group_left b", 2, "no grouping allowed", id="grouping in a set operation"),
        pytest.param("a + on(x) group_left(x) b", 2, "ON and GROUP clause at once", id="label twice"),
        pytest.param("x[5m] + 1", 6, "only scalar and instant vector", id="range vector in arithmetic"),
        pytest.param("(a + b)[5m]", 7, "ranges only allowed for vector selectors", id="range of a sum"),
        pytest.param("x[0s]", 2, "greater than 0", id="empty window"),
        pytest.param("x[1m / 0]", 2, "division by zero", id="division in a window"),
        pytest.param("x offset 1m offset 2m", 0, "offset may not be set multiple times", id="two offsets"),
        pytest.param("{a=~'.*'}", 0, "non-empty matcher", id="everything selected"),
        pytest.param("x{a=~'('}", 2, "regular expression", id="bad regular expression"),
        pytest.param("x{__name__='y'}", 2, "must not be set twice", id="two names"),
        pytest.param("'abc", 0, "unterminated", id="open string"),
        pytest.param("'\\q'", 0, "unknown escape", id="bad escape"),
        pytest.param("label_join(m, '\\xff', '')", 14, "not valid UTF-8", id="no UTF-8"),
        pytest.param("1 + 3y2w_", 4, "bad number or duration", id="bad duration"),
        pytest.param("x ! y", 2, "unexpected character", id="no token"),
        pytest.param("x[5m] anchored smoothed", 0, "cannot be used together", id="both extensions"),
    ],
)
def test_refusal_says_where_and_why(text, position, reason):
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert caught.value.position == position


def test_position_is_line_and_column():
    with pytest.raises(ParseError, match=r"^2:3: parse error"):
        parse("a +\n  )")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("(" * 100_000 + "1" + ")" * 100_000, id="parentheses"),
        pytest.param("-" * 50_000 + "x", id="signs"),
        pytest.param("abs(" * 5_000 + "x" + ")" * 5_000, id="calls"),
        pytest.param(" + ".join(["x"] * 20_000), id="a chain"),
        pytest.param("x[" + "(" * 5_000 + "1m" + ")" * 5_000 + "]", id="a computed window"),
        pytest.param("x" * 100_000, id="a name"),
    ],
)
def test_hostile_text_is_refused_at_once(text):
    begun = time.process_time()
    with pytest.raises(ParseError):
        parse(text)
    assert time.process_time() - begun < 1.0


def test_limits_are_arguments():
    limits = ParseLimits(max_length=10, max_nesting=3, max_operators=1)
    assert isinstance(parse("((x))", limits), Selector)
    for text in ("xxxxxxxxxxx", "(((x)))", "1 + 1 + 1"):
        with pytest.raises(ParseError, match=r"limit is 10|deeper than 3|more than 1"):
            parse(text, limits)
