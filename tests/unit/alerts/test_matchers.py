"""Matchers read and compare as Alertmanager's do."""

import pytest

from rules.alerts.errors import InvalidMatcher
from rules.alerts.matchers import MAX_MATCHERS, format_matchers, matches_all, parse_matcher, parse_matchers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{foo="bar",baz=~"q.*"}', '{foo="bar",baz=~"q.*"}', id="in braces"),
        pytest.param("foo = bar , baz!=qux,", '{foo="bar",baz!="qux"}', id="bare, with a last comma"),
        pytest.param('"fo o"!~"b\\"ar"', '{"fo o"!~"b\\"ar"}', id="quoted name"),
        pytest.param('foo=~"a\\d+"', '{foo=~"a\\\\d+"}', id="an escape only the classic notation knows"),
        pytest.param('foo="\\u00e9"', '{foo="\\\\u00e9"}', id="classic wins where both read"),
        pytest.param('ébé="\\u00e9"', '{"ébé"="é"}', id="what only UTF-8 reads"),
        pytest.param("", "{}", id="nothing"),
        pytest.param(" { } ", "{}", id="empty braces"),
        pytest.param('foo=""', '{foo=""}', id="empty value"),
    ],
)
def test_matchers_are_read(text, expected):
    assert format_matchers(parse_matchers(text)) == expected
    assert parse_matchers(expected) == parse_matchers(text)


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        pytest.param("{", 1, "closing brace", id="open"),
        pytest.param("a=b}", 3, "unexpected", id="closed only"),
        pytest.param('a="b', 2, "label value", id="open quote"),
        pytest.param('a="b" c="d"', 6, "unexpected", id="no comma"),
        pytest.param("é==b", 2, "label value", id="double operator"),
        pytest.param('é=~"("', 3, "regular expression", id="regex RE2 refuses"),
        pytest.param('""="b"', 0, "empty", id="empty name"),
        pytest.param(",", 0, "label name", id="comma alone"),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(text, position, reason):
    with pytest.raises(InvalidMatcher, match=reason) as refusal:
        parse_matchers(text)
    assert refusal.value.position == position


def test_too_many_matchers_are_refused():
    with pytest.raises(InvalidMatcher, match=f"limit is {MAX_MATCHERS}"):
        parse_matchers(",".join(["a=b"] * (MAX_MATCHERS + 1)))


@pytest.mark.parametrize("text", ["", "a=b,c=d", "{a=b}"])
def test_one_matcher_is_one(text):
    with pytest.raises(InvalidMatcher):
        parse_matcher(text)


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param('a="b"', {"a": "b"}, True, id="equal"),
        pytest.param('a=""', {}, True, id="a missing label is empty"),
        pytest.param('a!="b"', {}, True, id="a missing label differs"),
        pytest.param('a=~"b"', {"a": "abc"}, False, id="a regex is anchored"),
        pytest.param('a!~"b.*"', {"a": "bc"}, False, id="not regex"),
        pytest.param('a=~"b|"', {}, True, id="a regex may accept the empty"),
    ],
)
def test_matchers_compare(text, labels, expected):
    assert matches_all(parse_matchers(text), labels) is expected
