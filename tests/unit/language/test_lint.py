"""Advice: what lint says, and of what it says nothing."""

from __future__ import annotations

import pytest

from rules.language.lint import Linted, cost_of, lint
from rules.language.plan import plan
from tests.unit.language.store import store_of

STORE = store_of({'node_load5{host="a"}': "1", 'node_load5{host="b"}': "1", "up": "1"})


def warnings(expr, *, budget=50_000_000, **values):
    rule = Linted(**{"alerting": True, "expr": expr, "hold_for_ms": 60_000, "labels": {}, **values})
    return [(one.code, one.message) for one in lint(rule, STORE, budget_samples=budget)]


def test_sound_rule_is_left_in_peace():
    assert warnings("node_load5 > 1", labels={"team": "{{ $labels.team }}"}) == []


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        pytest.param("node_laod5 > 1", "node_laod5 matches no series; near names: node_load5", id="misspelt"),
        pytest.param(
            'node_load5{host="c"} > 1',
            'node_load5{host="c"} matches no series; there are others of that name',
            id="label that no series has",
        ),
        pytest.param("zzz > 1", "zzz matches no series", id="nothing near"),
    ],
)
def test_selector_without_series_is_told_with_near_names(expr, message):
    assert warnings(expr) == [("selector.no_series", message)]


def test_series_that_rules_write_need_not_be_there_yet():
    assert warnings('job:load:max > 1 and ALERTS{alertname="A"}', written=frozenset({"job:load:max"})) == []


@pytest.mark.parametrize("text", ["{{ $value }}", "high {{ $value | humanize }}", "{{ now }}"])
def test_label_that_changes_with_every_evaluation_is_told(text):
    (found,) = warnings("up == 0", labels={"level": text})

    assert found[0] == "label.changes"
    assert text in found[1]


@pytest.mark.parametrize(
    ("expr", "values", "told"),
    [
        pytest.param("up == 0", {"hold_for_ms": 0}, ["for.missing"], id="instant value"),
        pytest.param("avg_over_time(up[5m]) < 1", {"hold_for_ms": 0}, [], id="value over a window"),
        pytest.param("up == 0", {"hold_for_ms": 0, "alerting": False}, [], id="recording rule"),
    ],
)
def test_missing_for_is_told(expr, values, told):
    assert [code for code, _ in warnings(expr, **values)] == told


def test_expensive_expression_is_told_with_its_cost_and_share():
    ((code, message),) = warnings("rate(node_load5[1h]) > 1", budget=1000)

    assert code == "expr.expensive"
    assert "480 samples of 2 series, 48% of" in message


def test_cost_counts_every_selector():
    cost = cost_of(plan("rate(node_load5[5m]) / on () group_left up"), STORE, budget_samples=410)

    assert (cost.series, cost.samples, cost.share) == (3, 41, 0.1)
