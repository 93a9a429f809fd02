"""Structured conditions and the PromQL they compile to."""

from __future__ import annotations

import pytest

from rules.language.conditions import MAX_DEPTH, InvalidCondition, anomalies_in, compile_condition

CPU = {"type": "threshold", "metric_path": "current_metrics.cpu_usage", "operator": ">", "threshold": 80.0}


@pytest.mark.parametrize(
    ("condition", "expr"),
    [
        pytest.param(CPU, "cpu_usage > 80", id="threshold in the context of current metrics"),
        pytest.param(
            CPU | {"labels": {"host": 'a"b'}, "operator": "!=", "threshold": 0.5},
            'cpu_usage{host="a\\"b"} != 0.5',
            id="labels are quoted",
        ),
        pytest.param(
            {"type": "range", "metric_path": "t", "minimum": 1, "maximum": 5}, "t < 1 or t > 5", id="outside"
        ),
        pytest.param(
            {"type": "range", "metric_path": "t", "minimum": 1, "maximum": 5, "inside": True},
            "t >= 1 <= 5",
            id="inside",
        ),
        pytest.param(
            {"type": "absence", "metric_path": "up", "for_s": 600}, "absent_over_time(up[10m])", id="absence"
        ),
        pytest.param(
            {"type": "rate_of_change", "metric_path": "q", "operator": ">", "threshold": 2, "window_s": 90},
            "deriv(q[1m30s]) > 2",
            id="gauge",
        ),
        pytest.param(
            {"type": "rate_of_change", "metric_path": "q", "operator": ">", "threshold": 2, "counter": True},
            "rate(q[5m]) > 2",
            id="counter",
        ),
        pytest.param(
            {"type": "all", "conditions": [CPU, {"type": "not", "condition": CPU}]},
            "(cpu_usage > 80) and (cpu_usage <= 80)",
            id="all, not",
        ),
        pytest.param(
            {"type": "any", "conditions": [CPU, {"type": "absence", "metric_path": "cpu_usage"}]},
            "(cpu_usage > 80) or (absent_over_time(cpu_usage[5m]))",
            id="any",
        ),
        pytest.param(
            {"type": "not", "condition": {"type": "any", "conditions": [CPU]}},
            "absent((cpu_usage > 80))",
            id="not of a composite",
        ),
    ],
)
def test_compiles(condition, expr):
    assert compile_condition(condition).expr == expr


def test_recovery_threshold_keeps_firing_on_the_calm_side():
    assert compile_condition(CPU | {"recovery_threshold": 70}).recovery == "cpu_usage > 70"


@pytest.mark.parametrize(
    ("condition", "place"),
    [
        pytest.param({"type": "magic"}, "condition", id="unknown type"),
        pytest.param(CPU | {"operator": "=>"}, "threshold.operator", id="unknown operator"),
        pytest.param(CPU | {"threshold": "high"}, "threshold.threshold", id="no number"),
        pytest.param(CPU | {"threshold": float("nan")}, "threshold.threshold", id="not finite"),
        pytest.param(CPU | {"metric_path": "cpu usage"}, "threshold.metric_path", id="no metric"),
        pytest.param(CPU | {"surprise": 1}, "threshold.surprise", id="unknown field"),
        pytest.param(CPU | {"recovery_threshold": 90}, "threshold", id="recovery beyond the threshold"),
        pytest.param(
            {"type": "range", "metric_path": "t", "minimum": 5, "maximum": 1}, "range", id="inverted range"
        ),
        pytest.param({"type": "all", "conditions": []}, "all.conditions", id="empty composite"),
    ],
)
def test_refuses(condition, place):
    with pytest.raises(InvalidCondition) as refused:
        compile_condition(condition)

    assert list(refused.value.errors) == [place]


def test_refuses_hostile_nesting_without_descending_into_it():
    condition: dict[str, object] = CPU
    for _ in range(100_000):
        condition = {"type": "not", "condition": condition}

    with pytest.raises(InvalidCondition, match=f"limit is {MAX_DEPTH}"):
        compile_condition(condition)
    while isinstance(condition.get("condition"), dict):  # a deep chain must be taken apart before it is freed
        condition = condition.pop("condition")


def test_an_anomaly_is_a_score_of_its_group():
    named = {"type": "anomaly", "model_group": "hosts"}
    assert compile_condition(named).expr == 'anomaly_score{model_group="hosts"} > 1'
    watched = {"type": "anomaly", "selector": "load"}
    expr = compile_condition(watched).expr
    assert expr.startswith('anomaly_score{model_group="anomaly-')
    assert compile_condition(dict(watched)).expr == expr
    assert compile_condition(watched | {"sensitivity": 2}).expr != expr
    with pytest.raises(InvalidCondition, match="model_group"):
        compile_condition({"type": "anomaly"})


def test_every_anomaly_of_a_condition_is_found():
    one, two = {"type": "anomaly", "model_group": "a"}, {"type": "anomaly", "selector": "load"}
    condition = {"type": "all", "conditions": [CPU, {"type": "not", "condition": one}, two]}
    assert {part.model_group for part in anomalies_in(condition)} == {"a", ""}
