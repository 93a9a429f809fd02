"""Prometheus's HTTP API: its JSON, its errors, its status codes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alertsite.core.clock import SystemClock
from alertsite.core.labels import label_set
from rules.api.prometheus_json import format_sample
from rules.series.metadata import Description
from rules.series.protocols import SampleBatch
from rules.services.stores import hot_store, metric_metadata
from tests.factories.rows import make_group, make_rule

API = "/prometheus/api/v1/"


@pytest.fixture
def at_ms(acme):
    """Two series with a minute's samples, the last at the returned time."""
    now_ms = SystemClock().now_ms() // 1000 * 1000
    sets = [label_set({"__name__": "m", "job": job}) for job in ("a", "b")]
    times = np.array([now_ms - 60_000, now_ms] * 2)
    batch = SampleBatch(sets, np.array([0, 0, 1, 1]), times, np.array([1.0, 2.0, 10.0, math.inf]))
    hot_store(acme.pk).append(batch, now_ms=now_ms)
    return now_ms


def test_instant_vector(alice, at_ms):
    answer = alice.get(API + "query", {"query": "m", "time": at_ms / 1000}).json()

    assert answer == {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"__name__": "m", "job": "a"}, "value": [at_ms // 1000, "2"]},
                {"metric": {"__name__": "m", "job": "b"}, "value": [at_ms // 1000, "+Inf"]},
            ],
        },
    }


def test_form_and_rfc3339_and_limit(alice, at_ms):
    answer = alice.post(
        API + "query",
        "query=m&limit=1&time=2026-01-01T00:00:00Z",
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.json()["data"]["result"] == []

    limited = alice.get(API + "query", {"query": "m", "limit": 1, "time": at_ms / 1000}).json()
    assert (len(limited["data"]["result"]), limited["warnings"]) == (1, ["results truncated due to limit"])


def test_range_matrix(alice, at_ms):
    end = at_ms // 1000
    answer = alice.get(
        API + "query_range", {"query": 'm{job="a"}', "start": end - 60, "end": end, "step": "30s"}
    ).json()

    values = answer["data"]["result"][0]["values"]
    assert values == [[end - 60, "1"], [end - 30, "1"], [end, "2"]]


def test_series_labels_and_values(alice, at_ms):
    assert alice.get(API + "series", {"match[]": 'm{job="a"}'}).json()["data"] == [
        {"__name__": "m", "job": "a"}
    ]
    assert alice.get(API + "labels").json()["data"] == ["__name__", "job"]
    assert alice.get(API + "label/job/values").json()["data"] == ["a", "b"]


def test_rules_and_alerts(alice, acme):
    make_rule(make_group(acme), hold_for_s=60)
    group = alice.get(API + "rules").json()["data"]["groups"][0]

    assert (group["name"], group["rules"][0]["name"], group["rules"][0]["state"]) == (
        "group",
        "HostDown",
        "inactive",
    )
    assert alice.get(API + "alerts").json()["data"] == {"alerts": []}
    assert alice.get(API + "status/buildinfo").json()["data"]["version"] == "3.5.0"
    assert alice.get(API + "format_query", {"query": "sum(m)by(job)"}).json()["data"] == "sum by (job) (m)"


@pytest.mark.parametrize(
    ("path", "parameters", "status", "kind"),
    [
        pytest.param("query", {"query": "sum(("}, 400, "bad_data", id="does not parse"),
        pytest.param("query", {"query": "m", "time": "noon"}, 400, "bad_data", id="no time"),
        pytest.param("query", {"query": "m", "timeout": "soon"}, 400, "bad_data", id="no duration"),
        pytest.param("query_range", {"query": "m", "start": 1, "end": 2}, 400, "bad_data", id="no step"),
        pytest.param(
            "query_range", {"query": "m", "start": 2, "end": 1, "step": 1}, 400, "bad_data", id="backwards"
        ),
        pytest.param(
            "query_range",
            {"query": "m", "start": 0, "end": 99999, "step": 1},
            400,
            "bad_data",
            id="too many steps",
        ),
        pytest.param("series", {}, 400, "bad_data", id="no selector"),
        pytest.param("query", {"query": "m / on () m"}, 422, "execution", id="many to many"),
    ],
)
def test_errors_have_prometheus_types(alice, at_ms, path, parameters, status, kind):
    answer = alice.get(API + path, parameters)

    assert (answer.status_code, answer.json()["status"], answer.json()["errorType"]) == (
        status,
        "error",
        kind,
    )
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-5, "0.00001"),
        (1e-7, "1e-07"),
        (123456789.125, "123456789.125"),
        (math.nan, "NaN"),
        (-math.inf, "-Inf"),
    ],
)
def test_values_read_as_go_prints_them(value, text):
    assert format_sample(value) == text


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param({}, ["a_total", "b"], id="all"),
        pytest.param({"limit": "1"}, ["a_total"], id="some"),
        pytest.param({"limit": "0"}, [], id="none"),
        pytest.param({"limit": "-1", "limit_per_metric": "1"}, ["a_total", "b"], id="no bound"),
        pytest.param({"metric": "b"}, ["b"], id="one"),
        pytest.param({"metric": "c"}, [], id="unknown"),
    ],
)
def test_metadata_of_metrics(alice, acme, asked, names):
    described = [Description("b", "gauge", "B.", "bytes"), Description("a_total", "counter")]
    metric_metadata(acme.pk).note(described, now_ms=0)

    answer = alice.get(API + "metadata", asked).json()

    assert sorted(answer["data"]) == names
    if "b" in names:
        assert answer["data"]["b"] == [{"type": "gauge", "help": "B.", "unit": "bytes"}]


def test_metadata_refuses_a_limit_that_is_no_number(alice):
    answer = alice.get(API + "metadata", {"limit": "many"})

    assert (answer.status_code, answer.json()["errorType"]) == (400, "bad_data")
