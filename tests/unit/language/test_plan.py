"""Plans: what they share, what they tell, what they refuse."""

from __future__ import annotations

import pytest

from rules.language.errors import EvaluationError, ParseError
from rules.language.plan import plan


def test_rules_of_one_structure_share_a_shape():
    plans = [plan(f'metric_{i}{{job="j{i}"}} > {i}') for i in range(5)]
    assert len({id(planned.shape) for planned in plans}) == 1
    assert [planned.numbers for planned in plans] == [(float(i),) for i in range(5)]
    assert plans[0].shape is not plan("metric_0 >= 0").shape
    assert plan("rate(m[5m])").shape is not plan("rate(m[6m])").shape


@pytest.mark.parametrize(
    ("expression", "windows"),
    [
        pytest.param("m", [(0, 0, False)], id="instant"),
        pytest.param("rate(m[5m] offset 1m)", [(360_000, 60_000, False)], id="range with offset"),
        pytest.param("max_over_time(rate(m[5m])[1h:])", [(3_900_000, 0, False)], id="subquery"),
        pytest.param("m @ 5 + n", [(0, 0, True), (0, 0, False)], id="pinned"),
    ],
)
def test_windows(expression, windows):
    found = [(window.reach_ms, window.offset_ms, window.pinned) for window in plan(expression).windows]
    assert found == windows


def test_metric_names_are_those_asked_for_by_equality():
    assert plan('a + {__name__="b"} + {__name__=~"c.*"}').metric_names == {"a", "b"}


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        pytest.param("m", "vector", id="vector"),
        pytest.param("scalar(m)", "scalar", id="scalar"),
        pytest.param("m[1m]", "matrix", id="matrix"),
        pytest.param("'x'", "string", id="string"),
    ],
)
def test_kind(expression, kind):
    assert plan(expression).kind == kind


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        pytest.param("label_replace(m, 'a', '', 'b', '(')", "invalid regular expression", id="regex"),
        pytest.param("label_replace(m, '', '', 'b', '.*')", "destination label", id="no label"),
        pytest.param("label_join(m, 'a', ',', '')", "source label", id="no source"),
        pytest.param("sum_over_time(m[5m] anchored)", "anchored modifier can only", id="anchored"),
        pytest.param("changes(m[5m] smoothed)", "smoothed modifier can only", id="smoothed"),
        pytest.param("count_values('', m)", "invalid label name", id="count_values without label"),
    ],
)
def test_literals_that_cannot_work(expression, reason):
    with pytest.raises(EvaluationError, match=reason):
        plan(expression)


def test_parse_errors_pass():
    with pytest.raises(ParseError):
        plan("sum(")
