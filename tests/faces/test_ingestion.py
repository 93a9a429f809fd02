"""Samples over HTTP: stored, or refused with a reason and a count."""

from __future__ import annotations

import json

import pytest

from alertsite.core.clock import SystemClock
from alertsite.core.labels import label_set
from alertsite.tenancy.services import create_api_key
from rules.bench.ingest import encode_write_request

PROTOBUF = {"content_type": "application/x-protobuf", "HTTP_CONTENT_ENCODING": "snappy"}
WRITE = "/prometheus/api/v1/write"


@pytest.fixture
def key(acme):
    return {"HTTP_AUTHORIZATION": f"Bearer {create_api_key('agent', tenant=acme).secret}"}


def body(name="up", *, ago_ms=0, value=1.0, **labels):
    return encode_write_request(
        [label_set({"__name__": name, **labels})], SystemClock().now_ms() - ago_ms, value
    )


def value_of(client, key, query):
    answer = client.get("/prometheus/api/v1/query", {"query": query}, **key).json()
    return [(one["metric"], one["value"][1]) for one in answer["data"]["result"]]


def test_remote_write_is_read_back_by_the_query_api(client, key):
    answer = client.post(WRITE, body(job="api", value=0.25), **PROTOBUF, **key)

    assert (answer.status_code, answer.content) == (204, b"")
    assert value_of(client, key, "up") == [({"__name__": "up", "job": "api"}, "0.25")]


def test_json_lines(client, key):
    now_ms = SystemClock().now_ms()
    lines = [
        {"labels": {"__name__": "depth", "queue": "mail"}, "samples": [[now_ms - 1000, 3], [now_ms, 5]]},
        {"labels": {"__name__": "depth", "queue": "jobs"}, "samples": [[now_ms, 7]]},
    ]
    answer = client.post(
        "/api/series/", "\n".join(map(json.dumps, lines)), content_type="application/x-ndjson", **key
    )

    assert answer.json() == {"accepted": 3, "refused": {}}
    assert value_of(client, key, "sum(depth)") == [({}, "12")]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(body(ago_ms=3 * 3_600_000), "too_old", id="too old"),
        pytest.param(body(ago_ms=-3_600_000), "too_far_in_future", id="from the future"),
        pytest.param(
            encode_write_request([(("job", "x"),)], SystemClock().now_ms(), 1.0),
            "missing_metric_name",
            id="no name",
        ),
        pytest.param(body(**{f"l{n}": "x" for n in range(70)}), "too_many_labels", id="too many labels"),
    ],
)
def test_refused_samples_are_counted_by_reason_and_not_stored(client, key, sent, reason):
    answer = client.post(WRITE, sent, **PROTOBUF, **key)

    assert answer.status_code == 400
    assert answer.content.decode() == f"accepted 0 samples, refused 1: {reason} 1\n"
    assert value_of(client, key, '{__name__=~".+"}') == []


@pytest.mark.parametrize(
    ("sent", "headers", "status"),
    [
        pytest.param(b"\xff\xff\xff\xff\x0f", {}, 413, id="snappy that declares gigabytes"),
        pytest.param(b"\x05abc", {}, 400, id="wrong snappy length"),
        pytest.param(b"", {}, 400, id="empty"),
        pytest.param(body(), {"HTTP_CONTENT_ENCODING": "gzip"}, 415, id="other encoding"),
        pytest.param(
            body(),
            {"content_type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            415,
            id="version 2",
        ),
    ],
)
def test_body_that_cannot_be_read_is_refused_whole(client, key, sent, headers, status):
    answer = client.post(WRITE, sent, **PROTOBUF | headers, **key)

    assert answer.status_code == status, answer.content
    assert answer.content


def test_reader_may_not_write(client, acme):
    key = create_api_key("reader", tenant=acme, scopes=("read",)).secret

    assert client.post(WRITE, body(), **PROTOBUF, HTTP_AUTHORIZATION=f"Bearer {key}").status_code == 403
