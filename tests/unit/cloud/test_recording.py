"""Exchanges show what was said and no secret."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.adapters.labelling import labels_of, snake
from cloud.adapters.recording import LONGEST_TEXT, MASK, MOST_ITEMS, Recorder

SECRET = "correct-horse-battery"


def kept(sent, secrets=()):
    recorder = Recorder(secrets)
    recorder.keep("call", sent, "ok", None, 0.1)
    (exchange,) = recorder.take()
    return exchange.sent


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        pytest.param({"Password": "x"}, {"Password": MASK}, id="by name"),
        pytest.param({"a": [{"api_key": "x"}]}, {"a": [{"api_key": MASK}]}, id="deep"),
        pytest.param(
            {"NextToken": "p2", "pageToken": "p3"}, {"NextToken": "p2", "pageToken": "p3"}, id="pages"
        ),
        pytest.param({"UserData": "IyEvYmluL3No"}, {"UserData": MASK}, id="start-up scripts"),
        pytest.param({"token": ""}, {"token": ""}, id="an empty one hides nothing"),
        pytest.param("plain", {"body": "plain"}, id="text"),
        pytest.param(None, {}, id="nothing"),
        pytest.param({"a": b"raw"}, {"a": "<bytes>"}, id="bytes"),
        pytest.param({"a": float}, {"a": str(float)}, id="anything else"),
    ],
)
def test_what_is_kept(sent, shown):
    assert kept(sent) == shown


def test_long_things_are_cut():
    sent = kept({"text": "x" * 9_000, "items": list(range(900))})
    assert len(sent["text"]) == LONGEST_TEXT + 1
    assert len(sent["items"]) == MOST_ITEMS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(f"a {SECRET} b"),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_secret_stands_nowhere_and_all_is_json(sent):
    shown = json.dumps(kept(sent, [f"Bearer {SECRET}"]))
    assert SECRET not in shown


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20)))
def test_tags_become_labels_that_may_stand(tags):
    for name, value in labels_of(tags).items():
        assert name.isidentifier()
        assert name.isascii()
        assert not name.startswith("__")
        assert value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("CPUUtilization", "cpu_utilization", id="AWS"),
        pytest.param("Percentage CPU", "percentage_cpu", id="Azure"),
        pytest.param("instance/cpu/utilization", "instance_cpu_utilization", id="Google"),
        pytest.param("InstanceId", "instance_id", id="dimension"),
    ],
)
def test_metric_names(name, expected):
    assert snake(name) == expected
