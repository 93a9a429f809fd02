"""Laws of overrides, paths and mappings: nobody is on call twice, nothing posted is a fault of ours."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from alertsite.core.errors import PlatformError
from rules.alerts.mapping import parse_mapping, read_alerts
from rules.alerts.oncall import Override, uncovered
from rules.alerts.paths import parse_path

SPANS = st.tuples(st.integers(0, 30), st.integers(1, 10))
OVERRIDES = st.lists(
    st.builds(lambda member, span: Override(member, span[0], sum(span)), st.sampled_from("ab"), SPANS),
    max_size=6,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=20,
)
PATHS = st.lists(st.sampled_from([".a", ".b", "['c']", "[0]", "[-1]", "[*]"]), max_size=4).map("".join)
ONE = st.lists(st.sampled_from([".a", ".b", "[0]"]), max_size=3).map("".join)
MAPPINGS = st.fixed_dictionaries(
    {"alertname": st.one_of(st.just("A"), ONE.map("@{}".format))},
    optional={
        "alerts": PATHS.map("${}".format),
        "labels": st.one_of(ONE.map("@{}".format), ONE.map(lambda path: {"host": "@" + path})),
        "status": ONE.map(lambda path: {"path": "@" + path}),
        "starts_at": ONE.map("@{}".format),
        "ends_at": ONE.map("${}".format),
        "url": ONE.map("@{}".format),
    },
)


def moments(overrides, member):
    """The moments that somebody's overrides cover."""
    return {at for one in overrides if one.member == member for at in range(one.begin_ms, one.end_ms)}


@given(overrides=OVERRIDES, by=OVERRIDES)
def test_what_is_left_is_exactly_what_nobody_took(overrides, by):
    taken = moments(by, "a") | moments(by, "b")
    left = uncovered(overrides, by)
    for member in "ab":
        assert moments(left, member) == moments(overrides, member) - taken


@given(document=JSON, steps=PATHS)
def test_a_path_without_a_star_finds_one_value_at_most(document, steps):
    path = parse_path("$" + steps)
    found = path.find(document, None)
    assert path.branches or len(found) <= 1
    assert not found or path.is_there(document, None)


@given(document=JSON, mapping=MAPPINGS)
def test_any_document_becomes_alerts_with_names_or_is_refused(document, mapping):
    with contextlib.suppress(PlatformError):
        for alert in read_alerts(parse_mapping(mapping), document):
            texts = [*alert.labels.values(), *alert.annotations.values()]
            assert alert.labels["alertname"]
            assert all(isinstance(text, str) and text for text in texts)
