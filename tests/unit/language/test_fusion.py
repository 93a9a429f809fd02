"""A shard of rules at one time: one read, one outcome a rule, nothing done twice."""

from __future__ import annotations

import numpy as np
import pytest

from alertsite.core.labels import fingerprint, without_name
from rules.language.errors import EvaluationError, QueryTimeout, QueryTooExpensive
from rules.language.frames import EvaluationLimits
from rules.language.functions.elementwise import ELEMENTWISE
from rules.language.fusion import ShardPlan
from rules.language.plan import plan
from tests.unit.language.store import CountingReader, labels_of, store_of

LOAD = {
    'cpu{host="a"}': "90x10",
    'cpu{host="b"}': "10x10",
    'disk{host="a", dev="x"}': "1+1x10",
    'disk{host="a", dev="y"}': "2+2x10",
    "gone": "1 stale",
}
AT_MS = 600_000


def shard(*expressions: str) -> ShardPlan:
    return ShardPlan([plan(expression) for expression in expressions])


def test_elements_come_in_order_of_rules():
    result = shard("cpu > 50", "rate(disk[5m]) > 0", "cpu < 50", "2").evaluate(store_of(LOAD), AT_MS)
    assert result.rule.tolist() == [0, 1, 1, 2, 3]
    assert result.values.tolist() == [90, pytest.approx(1 / 60), pytest.approx(2 / 60), 10, 2]
    assert [result.labels_of(element) for element in range(5)] == [
        labels_of('cpu{host="a"}'),
        labels_of('{host="a", dev="x"}'),
        labels_of('{host="a", dev="y"}'),
        labels_of('cpu{host="b"}'),
        (),
    ]


def test_fingerprints_leave_the_metric_name_out():
    result = shard("cpu", "sum by (host) (disk)").evaluate(store_of(LOAD), AT_MS)
    expected = [fingerprint(without_name(result.labels_of(element))) for element in range(3)]
    assert result.fingerprints.tolist() == expected
    assert expected[0] == expected[2]


def test_all_rules_share_one_read():
    reader = CountingReader(store_of(LOAD))
    shard(*(f"cpu > {bound}" for bound in range(50)), "rate(disk[5m]) > 0", "cpu + on (host) gone").evaluate(
        reader, AT_MS
    )
    assert len(reader.reads) == 1


def test_a_long_window_is_read_apart():
    reader = CountingReader(store_of(LOAD))
    shard("cpu > 1", "avg_over_time(disk[7d]) > 0").evaluate(reader, AT_MS)
    lengths = sorted(end - start for _, start, end in reader.reads)
    assert lengths == [299_999, 7 * 86_400_000 - 1]


def test_selectors_are_resolved_once_a_generation():
    reader, rules = CountingReader(store_of(LOAD)), shard("cpu > 1", "sum(disk)")
    rules.evaluate(reader, AT_MS)
    rules.evaluate(reader, AT_MS + 1)
    assert reader.selected == ["", "cpu", "disk"]


def test_new_series_touch_only_selectors_that_find_them():
    reader = CountingReader(store_of(LOAD))
    rules = shard("cpu > 1", "sum(disk)", '{host=~"a|c", dev=""} > 80')
    rules.evaluate(reader, AT_MS)
    reader.selected.clear()
    reader.store = store_of({**LOAD, 'other{host="d"}': "1x10"})
    rules.evaluate(reader, AT_MS)
    assert reader.selected == [""]
    reader.store = store_of(
        {**LOAD, 'other{host="d"}': "1x10", 'cpu{host="c"}': "70x10", 'new{host="c"}': "81x10"}
    )
    result = rules.evaluate(reader, AT_MS)
    assert result.rule.tolist() == [0, 0, 0, 1, 2, 2]
    assert result.values.tolist() == [90, 10, 70, 33, 90, 81]
    assert reader.selected == ["", "", "cpu", ""]


def test_series_that_are_gone_are_read_no_more():
    reader, rules = CountingReader(store_of(LOAD)), shard("cpu > 1", "sum(disk)")
    rules.evaluate(reader, AT_MS)
    reader.hidden = {1}
    assert rules.evaluate(reader, AT_MS).values.tolist() == [90, 33]
    assert reader.reads[-1][0] == [0, 2, 3]


def test_a_bad_rule_disturbs_no_other():
    result = shard("cpu + on () disk", "cpu > 50", 'cpu{host="a"}[5m]', "cpu * on (host) disk").evaluate(
        store_of(LOAD), AT_MS
    )
    assert result.rule.tolist() == [1]
    assert sorted(result.errors) == [0, 2, 3]
    assert "many-to-many matching not allowed" in str(result.errors[0])
    assert "range vector" in str(result.errors[2]) or "matrix" in str(result.errors[2])
    assert all(isinstance(error, EvaluationError) for error in result.errors.values())


def test_windows_that_cannot_be_read_fail_alone():
    result = shard("rate(cpu[range()])", "max_over_time(cpu[50y:1ms]) > 0", "cpu > 50").evaluate(
        store_of(LOAD), AT_MS
    )
    assert {rule: str(error) for rule, error in result.errors.items()} == {
        0: "duration must be greater than 0",
        1: "query processing would load too many steps: 1576800000000, limit is 50000000",
    }
    assert result.rule.tolist() == [2]


def test_a_bad_rule_among_many_of_its_shape_is_found(monkeypatch):
    def refuse_ninety(values):
        if (values == 90).any():
            raise ArithmeticError
        return values

    monkeypatch.setitem(ELEMENTWISE, "abs", refuse_ninety)
    expressions = [f'abs(cpu{{host="{"a" if rule == 37 else "b"}"}}) > {rule / 100}' for rule in range(100)]
    result = shard(*expressions).evaluate(store_of(LOAD), AT_MS)
    assert sorted(result.errors) == [37]
    assert result.rule.tolist() == [rule for rule in range(100) if rule != 37]
    assert result.had_data.all()
    assert result.labels_of(98) == labels_of('{host="b"}')


def test_rules_that_are_too_much_together_are_evaluated_in_parts():
    limits = EvaluationLimits(max_samples=30)
    rules = shard(*(f"cpu + {rule} > 50" for rule in range(100)))
    result, whole = rules.evaluate(store_of(LOAD), AT_MS, limits), rules.evaluate(store_of(LOAD), AT_MS)
    assert not result.errors
    assert result.rule.tolist() == whole.rule.tolist()
    assert sorted(result.values) == sorted(whole.values)


def test_a_fault_of_the_evaluator_stays_with_its_rules(monkeypatch, caplog):
    monkeypatch.setitem(ELEMENTWISE, "abs", lambda values: values / "no number")
    result = shard("abs(cpu)", "abs(disk)", "cpu > 50").evaluate(store_of(LOAD), AT_MS)
    assert sorted(result.errors) == [0, 1]
    assert result.errors[0].code == "query.fault"
    assert "Traceback" in caplog.text
    assert result.rule.tolist() == [2]


def test_rules_of_one_shape_fail_apart():
    result = shard("cpu * on (host) disk", "disk * on (host, dev) disk").evaluate(store_of(LOAD), AT_MS)
    assert sorted(result.errors) == [0]
    assert result.rule.tolist() == [1, 1]


def test_what_each_rule_saw():
    result = shard("cpu > 1000", "absent(nothing)", "gone", "rate(disk[5m])", "time()").evaluate(
        store_of(LOAD), AT_MS
    )
    assert result.had_data.tolist() == [True, False, False, True, False]
    assert result.samples_read.tolist() == [2, 0, 0, 10, 0]


def test_a_rule_that_finds_too_many_series_fails_alone():
    limits = EvaluationLimits(max_series=2)
    result = shard("cpu > 1", '{host="a"}', "disk > 1").evaluate(store_of(LOAD), AT_MS, limits)
    assert sorted(result.errors) == [1]
    assert isinstance(result.errors[1], QueryTooExpensive)
    assert np.unique(result.rule).tolist() == [0, 2]


def test_a_rule_that_reads_too_many_samples_fails_alone():
    limits = EvaluationLimits(max_samples=6)
    result = shard("sum(rate(cpu[9m]))", "sum(rate(gone[9m]))", "cpu").evaluate(store_of(LOAD), AT_MS, limits)
    assert {type(error) for error in result.errors.values()} == {QueryTooExpensive}
    assert 0 in result.errors
    assert 1 not in result.errors


def test_time_runs_out_for_what_is_left():
    limits = EvaluationLimits(out_of_time=lambda: True)
    result = shard("cpu", "disk").evaluate(store_of(LOAD), AT_MS, limits)
    assert {type(error) for error in result.errors.values()} == {QueryTimeout}
    assert len(result.errors) == 2


def test_an_empty_shard_has_an_empty_result():
    result = ShardPlan([]).evaluate(store_of(LOAD), AT_MS)
    assert len(result.rule) == len(result.had_data) == 0
