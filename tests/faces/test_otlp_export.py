"""OTLP over HTTP: stored, rejected in part, or refused."""

from __future__ import annotations

import gzip
import json

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from alertsite.core.clock import SystemClock
from alertsite.tenancy.services import create_api_key

URL = "/v1/metrics"
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture
def key(acme):
    return {"HTTP_AUTHORIZATION": f"Bearer {create_api_key('agent', tenant=acme).secret}"}


def export(value, *, ago_ms=0, temporality=2):
    time = str((SystemClock().now_ms() - ago_ms) * 1_000_000)
    points = [{"timeUnixNano": time, "asInt": str(value)}]
    data = {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": True}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "made", "sum": data}]}]}]}


def protobuf(sent):
    return ParseDict(sent, ExportMetricsServiceRequest()).SerializeToString()


def made(client, key):
    answer = client.get("/prometheus/api/v1/query", {"query": "made_total"}, **key).json()
    return [one["value"][1] for one in answer["data"]["result"]]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_export_is_read_back_by_the_query_api(client, key, kind, packed):
    body = protobuf(export(7)) if kind == PROTOBUF else json.dumps(export(7)).encode()
    headers = {"HTTP_CONTENT_ENCODING": "gzip"} if packed else {}

    answer = client.post(URL, gzip.compress(body) if packed else body, content_type=kind, **headers, **key)

    assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    assert answer.content == (b"" if kind == PROTOBUF else b"{}")
    assert made(client, key) == ["7"]


def test_increases_add_up_over_requests(client, key):
    for ago_ms in (2000, 1000, 1):
        body = protobuf(export(5, ago_ms=ago_ms, temporality=1))
        assert client.post(URL, body, content_type=PROTOBUF, **key).content == b""

    assert made(client, key) == ["15"]


def test_what_is_rejected_is_counted(client, key):
    body = protobuf(export(1, ago_ms=9 * 3_600_000))
    answer = client.post(URL, body, content_type=PROTOBUF, **key)

    rejected = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, rejected.rejected_data_points) == (200, 1)
    assert "too_old 1" in rejected.error_message


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"\xff\xff", {}, 400, id="no protobuf"),
        pytest.param(b"{", {"content_type": JSON}, 400, id="no JSON"),
        pytest.param(b"abc", {"HTTP_CONTENT_ENCODING": "gzip"}, 400, id="no gzip"),
        pytest.param(gzip.compress(b"\0" * (33 << 20)), {"HTTP_CONTENT_ENCODING": "gzip"}, 413, id="bomb"),
        pytest.param(b"", {"HTTP_CONTENT_ENCODING": "zstd"}, 415, id="other encoding"),
        pytest.param(b"", {"content_type": "text/plain"}, 415, id="other type"),
    ],
)
def test_body_that_cannot_be_read_is_refused_whole(client, key, body, headers, status):
    answer = client.post(URL, body, **{"content_type": PROTOBUF} | headers, **key)

    assert answer.status_code == status
    assert answer.content


def test_reader_may_not_write(client, acme):
    key = create_api_key("reader", tenant=acme, scopes=("read",)).secret
    answer = client.post(URL, b"", content_type=PROTOBUF, HTTP_AUTHORIZATION=f"Bearer {key}")

    assert answer.status_code == 403


def test_metrics_are_described_under_their_stored_names(client, key):
    sent = export(7)
    metric = sent["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    metric |= {"description": "What was made.", "unit": "By"}
    client.post(URL, json.dumps(sent), content_type=JSON, **key)

    found = client.get("/prometheus/api/v1/metadata", **key).json()["data"]

    assert found == {"made_bytes_total": [{"type": "counter", "help": "What was made.", "unit": "bytes"}]}
