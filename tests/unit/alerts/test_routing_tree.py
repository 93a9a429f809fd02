"""The tree is resolved and walked as Alertmanager does."""

import pytest

from rules.alerts.errors import InvalidRoute
from rules.alerts.grouping import first_flush_ms, group_key, group_labels, tick_at_or_after
from rules.alerts.matchers import parse_matchers
from rules.alerts.routes import MAX_DEPTH, RouteSpec, build_tree, match, walk


def spec(name, text="", *children, **fields):
    return RouteSpec(name, matchers=parse_matchers(text), children=children, **fields)


TREE = build_tree(
    spec(
        "root",
        "",
        spec(
            "db",
            'owner="db"',
            spec("test", 'env="testing"', continues=True),
            spec("prod", 'env=~"prod.*"', group_wait_ms=60_000),
            continues=True,
        ),
        spec("late", 'owner=~"d.*"', receivers=("late",)),
        spec("never", 'owner="db"'),
        receivers=("default",),
        group_by=("alertname",),
    )
)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({}, [("root", "default_route")], id="nothing matches"),
        pytest.param({"owner": "db"}, [("db", "no_child_matched"), ("late", "matched")], id="continue"),
        pytest.param(
            {"owner": "db", "env": "testing"}, [("test", "matched"), ("late", "matched")], id="leaf"
        ),
        pytest.param({"owner": "dx"}, [("late", "matched")], id="sibling"),
        pytest.param({"owner": "db", "env": "prod1"}, [("prod", "matched"), ("late", "matched")], id="regex"),
    ],
)
def test_an_alert_ends_at_its_routes(labels, expected):
    assert [(found.route.id, found.reason) for found in match(TREE, labels)] == expected


def test_children_have_what_they_leave_out_from_their_parent():
    prod = next(route for route in walk(TREE) if route.id == "prod")

    assert prod.receivers == ("default",)
    assert prod.group_by == ("alertname",)
    assert (prod.group_wait_ms, prod.group_interval_ms, prod.repeat_interval_ms) == (
        60_000,
        300_000,
        14_400_000,
    )
    assert prod.path == '{}/{owner="db"}/{env=~"prod.*"}'


def test_equal_siblings_have_paths_of_their_own():
    tree = build_tree(spec("r", "", spec("a", "x=y", continues=True), spec("b", "x=y"), receivers=("d",)))

    assert [route.path for route in walk(tree)] == ["{}", '{}/{x="y"}', '{}/{x="y"}#2']


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(spec("r", "a=b", receivers=("d",)), "match everything", id="root with matchers"),
        pytest.param(spec("r"), "no receiver", id="root without a receiver"),
        pytest.param(spec("r", receivers=("d",), continues=True), "continue", id="root continues"),
        pytest.param(spec("r", "", spec("r"), receivers=("d",)), "twice", id="same id"),
        pytest.param(spec("r", receivers=("d",), group_interval_ms=0), "group_interval", id="no interval"),
        pytest.param(spec("r", receivers=("d",), group_by=("...", "a")), "beside", id="all and one"),
        pytest.param(spec("r", receivers=("d",), group_by=("a", "a")), "twice", id="a label twice"),
        pytest.param(spec("r", receivers=("d",), mute_names=("x",)), "intervals", id="root muted"),
    ],
)
def test_a_bad_tree_is_refused(bad, reason):
    with pytest.raises(InvalidRoute, match=reason):
        build_tree(bad)


def test_a_deep_tree_is_refused():
    tree = spec("leaf")
    for depth in range(MAX_DEPTH):
        tree = spec(str(depth), "", tree, receivers=("d",))
    with pytest.raises(InvalidRoute, match="deeper"):
        build_tree(tree)


def test_a_group_shares_the_labels_of_its_route():
    by_all = build_tree(RouteSpec("r", ("d",), group_by=("...",)))
    labels = {"alertname": "A", "host": "h", "empty": ""}

    assert group_labels(TREE, labels) == {"alertname": "A"}
    assert group_labels(by_all, labels) == {"alertname": "A", "host": "h"}
    assert group_key(TREE, "mail", {"alertname": "A"}) == '{}:{alertname="A"}@mail'


@pytest.mark.parametrize(
    ("starts_ms", "expected"),
    [
        pytest.param(100_000, 130_000, id="a new alert waits"),
        pytest.param(70_000, 130_000, id="just not waited enough"),
        pytest.param(69_999, 100_000, id="one that waited goes at once"),
    ],
)
def test_the_first_flush(starts_ms, expected):
    assert first_flush_ms(100_000, starts_ms, 30_000) == expected


@pytest.mark.parametrize(("at_ms", "expected"), [(0, 100), (100, 100), (101, 110), (110, 110), (111, 120)])
def test_ticks_count_from_the_first_flush(at_ms, expected):
    assert tick_at_or_after(100, 10, at_ms) == expected
