"""Paths into documents: a small part of JSONPath, in one pass."""

import pytest

from rules.alerts.paths import InvalidPath, parse_path

DOCUMENT = {"alerts": [{"labels": {"host": "a", "a b": 1}}, {"labels": {"host": "b"}}], "n": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("$", [DOCUMENT], id="the document"),
        pytest.param("@", ["item"], id="the item"),
        pytest.param("$.alerts[*].labels.host", ["a", "b"], id="each"),
        pytest.param("$.alerts[-1].labels.host", ["b"], id="from the end"),
        pytest.param("$.alerts[0].labels['a b']", [1], id="quoted"),
        pytest.param("$.alerts[7]", [], id="beyond the end"),
        pytest.param("$.n", [None], id="null is there"),
        pytest.param("$.n.x", [], id="nothing below null"),
        pytest.param("$.alerts.labels", [], id="a name of a list"),
        pytest.param("$['alerts'][0][*][*]", ["a", 1], id="each of an object"),
    ],
)
def test_what_a_path_finds(text, expected):
    assert parse_path(text).find(DOCUMENT, "item") == expected


@pytest.mark.parametrize(
    ("text", "position"),
    [
        pytest.param("$.", 1, id="no name"),
        pytest.param("$..a", 1, id="recursion"),
        pytest.param("$.a[?(@.b)]", 3, id="filter"),
        pytest.param("$.a[0:2]", 3, id="slice"),
        pytest.param("$.a b", 3, id="blank"),
        pytest.param("$a", 1, id="no dot"),
    ],
)
def test_what_does_not_read_is_refused_with_its_position(text, position):
    with pytest.raises(InvalidPath, match=f"at {position}:"):
        parse_path(text)


@pytest.mark.parametrize("text", ["", "a.b", "$" + ".a" * 21, "$." + "a" * 500])
def test_what_is_no_path_or_too_long_is_refused(text):
    with pytest.raises(InvalidPath):
        parse_path(text)
