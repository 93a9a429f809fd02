"""Anomalies said in a sentence."""

from __future__ import annotations

import pytest

from alertsite.core.errors import InvalidParameter
from rules.language.conditions import compile_condition
from rules.language.sentences import said


@pytest.mark.parametrize(
    ("sentence", "selector", "direction", "hold_for_s"),
    [
        pytest.param("node_load1 is unusual", "node_load1", "both", None, id="plain"),
        pytest.param("Alert me when load is unusually high.", "load", "up", None, id="high"),
        pytest.param("warn us if load is abnormally low for 90s", "load", "down", 90, id="low, held"),
        pytest.param('up{job="is odd  is"} is strange for 5m', 'up{job="is odd  is"}', "both", 300, id="is"),
        pytest.param("tell me if {job=~'web.*'} is anomalous", "{job=~'web.*'}", "both", None, id="matchers"),
    ],
)
def test_a_sentence_is_a_condition(sentence, selector, direction, hold_for_s):
    found = said(sentence)
    assert found.condition == {"type": "anomaly", "selector": selector, "direction": direction}
    assert found.hold_for_s == hold_for_s
    assert compile_condition(found.condition).expr.endswith("> 1")


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("", id="empty"),
        pytest.param("load is high", id="not an anomaly"),
        pytest.param("sum(load) is unusual", id="not a selector"),
        pytest.param("load{ is unusual", id="not a query"),
        pytest.param("load is unusual for ever", id="not a duration"),
        pytest.param("is unusual", id="no series"),
        pytest.param("load is unusual for 500ms", id="less than a second"),
    ],
)
def test_other_sentences_are_refused_with_what_is_understood(sentence):
    with pytest.raises(InvalidParameter, match=r"unusually high|selector of series"):
        said(sentence)
