"""One expression: kinds of results, lookback and staleness, limits."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.errors import InvalidParameter
from rules.language import frames
from rules.language.engine import QueryRange, evaluate_instant, evaluate_range
from rules.language.errors import EvaluationError, QueryTimeout, QueryTooExpensive
from rules.language.frames import EvaluationLimits
from rules.language.plan import plan
from tests.unit.language.store import CountingReader, labels_of, store_of

LOAD = {'m{a="x"}': "1+1x10", 'm{a="y"}': "5 _ stale _ 7", "c_total": "0+60x10"}


@pytest.mark.parametrize(
    ("expression", "kind", "values", "text"),
    [
        pytest.param('m{a="x"}', "vector", [6.0], "", id="vector"),
        pytest.param("1 + 1", "scalar", [2.0], "", id="scalar"),
        pytest.param("'text'", "string", [], "text", id="string"),
        pytest.param('m{a="x"}[2m]', "matrix", [5.0, 6.0], "", id="range vector is left-open"),
        pytest.param('m{a="x"}[2m:1m]', "matrix", [5.0, 6.0], "", id="subquery"),
    ],
)
def test_kinds(expression, kind, values, text):
    result = evaluate_instant(plan(expression), store_of(LOAD), 300_000)
    assert (result.kind, result.values.tolist(), result.text) == (kind, values, text)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        pytest.param(0, [5.0], id="at the sample"),
        pytest.param(119_999, [5.0], id="until the stale marker"),
        pytest.param(120_000, [], id="the marker ends the series"),
        pytest.param(240_000, [7.0], id="it may come back"),
        pytest.param(539_999, [7.0], id="seen for five minutes"),
        pytest.param(540_000, [], id="and not at five minutes"),
    ],
)
def test_lookback_and_staleness(at_ms, expected):
    assert evaluate_instant(plan('m{a="y"}'), store_of(LOAD), at_ms).values.tolist() == expected


def test_lookback_is_a_limit():
    limits = EvaluationLimits(lookback_ms=1000)
    assert evaluate_instant(plan("m"), store_of(LOAD), 301_000, limits).values.tolist() == []


def test_range_result_is_sorted_and_dense():
    result = evaluate_range(plan("m"), store_of(LOAD), QueryRange(0, 240_000, 60_000))
    assert list(result.labels) == [labels_of('m{a="x"}'), labels_of('m{a="y"}')]
    assert result.times_ms.tolist() == [0, 60_000, 120_000, 180_000, 240_000]
    assert result.present.tolist() == [[True] * 5, [True, True, False, False, True]]
    assert result.values[0].tolist() == [1, 2, 3, 4, 5]


def test_a_scalar_over_a_range_has_no_labels():
    result = evaluate_range(plan("time()"), store_of(LOAD), QueryRange(0, 2000, 1000))
    assert list(result.labels) == [()]
    assert result.values.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("expression", "query", "name"),
    [
        pytest.param("m[1m]", QueryRange(0, 1, 1), "query", id="range vector"),
        pytest.param("'x'", QueryRange(0, 1, 1), "query", id="string"),
        pytest.param("m", QueryRange(0, 1, 0), "step_ms", id="no step"),
        pytest.param("m", QueryRange(1, 0, 1), "end_ms", id="end before start"),
    ],
)
def test_what_no_range_query_takes(expression, query, name):
    with pytest.raises(InvalidParameter) as caught:
        evaluate_range(plan(expression), store_of(LOAD), query)
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("expression", "limits"),
    [
        pytest.param("m", EvaluationLimits(max_series=1), id="series"),
        pytest.param("sum_over_time(m[10m])", EvaluationLimits(max_samples=5), id="samples read"),
        pytest.param(
            "max_over_time(m[10m:1ms])", EvaluationLimits(max_samples=1000), id="steps of a subquery"
        ),
        pytest.param("time()", EvaluationLimits(max_samples=5), id="steps of the query"),
    ],
)
def test_expensive_queries_stop(expression, limits):
    with pytest.raises(QueryTooExpensive, match="limit is"):
        evaluate_range(plan(expression), store_of(LOAD), QueryRange(0, 600_000, 60_000), limits)


def test_slow_queries_stop():
    answers = iter([False, False, True])
    limits = EvaluationLimits(out_of_time=lambda: next(answers))
    with pytest.raises(QueryTimeout):
        evaluate_instant(plan("m + m + m + m"), store_of(LOAD), 0, limits)


def test_only_what_is_needed_is_read():
    reader = CountingReader(store_of(LOAD))
    evaluate_instant(plan("rate(c_total[4m] offset 1m)"), reader, 600_000)
    assert [(start, end) for _, start, end in reader.reads] == [(300_001, 540_000)]


def test_warnings_and_infos():
    result = evaluate_instant(plan("quantile(2, rate(m[5m]))"), store_of(LOAD), 300_000)
    assert result.warnings == ("PromQL warning: quantile value should be between 0 and 1, got 2",)
    assert "might not be a counter" in result.infos[0]


def test_plans_evaluate_again_and_again():
    planned, store = plan("sum(m) + 0"), store_of(LOAD)
    first = evaluate_instant(planned, store, 0).values
    evaluate_instant(planned, store, 600_000)
    assert np.array_equal(evaluate_instant(planned, store, 0).values, first)


def test_equal_label_sets_are_refused():
    store = store_of({'a{i="0"}': "1", 'b{i="0"}': "2"})
    with pytest.raises(EvaluationError, match="same labelset"):
        evaluate_instant(plan("-{i='0'}"), store, 0)


def test_windows_in_parts_are_the_whole(monkeypatch):
    planned, store, query = plan("rate(m[5m])"), store_of(LOAD), QueryRange(0, 600_000, 60_000)
    whole = evaluate_range(planned, store, query)
    monkeypatch.setattr(frames, "_CELLS_AT_ONCE", 1)
    parts = evaluate_range(planned, store, query)
    assert list(parts.labels) == list(whole.labels)
    assert np.array_equal(parts.values[parts.present], whole.values[whole.present])
