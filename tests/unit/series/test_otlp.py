"""OTLP: names, what each kind of metric becomes, what is refused and how the answer says so."""

from __future__ import annotations

import gzip
import json
import math

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from alertsite.core.labels import format_labels
from alertsite.core.samples import is_stale
from rules.series.backends.deltas import MemoryDeltas
from rules.series.backends.memory import MemorySeries
from rules.series.errors import BodyTooLarge, MalformedBody, TooManySeries
from rules.series.ingest.otlp import ingest_otlp
from rules.series.ingest.otlp_body import (
    JSON,
    PROTOBUF,
    decode_export,
    export_response,
    failure_response,
    unpack_gzip,
)
from rules.series.ingest.otlp_names import label_name, metric_name
from rules.series.limits import IngestLimits
from rules.series.protocols import WriteReceipt

NOW_MS = 1_700_000_000_000
DELTA, CUMULATIVE = 1, 2


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def point(*attributes, ago_ms=0, **fields):
    return {
        "timeUnixNano": str((NOW_MS - ago_ms) * 1_000_000),
        "attributes": list(attributes),
        **fields,
    }


def export(*metrics, resource=()):
    scopes = [{"metrics": list(metrics)}]
    return {"resourceMetrics": [{"resource": {"attributes": list(resource)}, "scopeMetrics": scopes}]}


def gauge(*points, name="depth", unit=""):
    return {"name": name, "unit": unit, "gauge": {"dataPoints": list(points)}}


def total(*points, temporality=CUMULATIVE, monotonic=True):
    body = {"dataPoints": list(points), "aggregationTemporality": temporality, "isMonotonic": monotonic}
    return {"name": "requests", "unit": "{request}", "sum": body}


def histogram(*points, temporality=CUMULATIVE):
    body = {"dataPoints": list(points), "aggregationTemporality": temporality}
    return {"name": "latency", "unit": "s", "histogram": body}


def stored(*exports, max_series=100):
    """Series with their values, and what was refused, after these requests."""
    store, totals = MemorySeries(), MemoryDeltas(100)
    refused = {}
    for one in exports:
        request = ParseDict(one, ExportMetricsServiceRequest())
        receipt = ingest_otlp(
            request, store, totals, now_ms=NOW_MS, limits=IngestLimits(max_series=max_series)
        )
        refused |= receipt.refused
    numbers = store.select([])
    columns = store.read(numbers, 0, NOW_MS)
    names = [format_labels(labels) for labels in store.labels(numbers)]
    bounds = zip(columns.offsets, columns.offsets[1:], strict=False)
    return {
        name: columns.values[start:end] for name, (start, end) in zip(names, bounds, strict=True)
    }, refused


def values(series):
    return {name: found.tolist() for name, found in series.items()}


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        pytest.param("http.server.duration", "s", {}, "http_server_duration_seconds", id="unit"),
        pytest.param(
            "http.server.duration.seconds", "s", {}, "http_server_duration_seconds", id="unit there"
        ),
        pytest.param("system.io", "By", {"monotonic": True}, "system_io_bytes_total", id="counter"),
        pytest.param("total.errors", "", {"monotonic": True}, "errors_total", id="total moves to the end"),
        pytest.param("disk.speed", "MiBy/s", {}, "disk_speed_mebibytes_per_second", id="per unit"),
        pytest.param("rate", "{packet}/s", {}, "rate_per_second", id="annotation"),
        pytest.param("cpu.utilization", "1", {"gauge": True}, "cpu_utilization_ratio", id="ratio"),
        pytest.param("cpu.utilization", "1", {"monotonic": True}, "cpu_utilization_total", id="1, counter"),
        pytest.param("a..b__c-d", "", {}, "a_b_c_d", id="runs become one underscore"),
        pytest.param("2xx", "", {}, "_2xx", id="digit first"),
        pytest.param("µ", "furlong", {}, "", id="nothing left of the name"),
        pytest.param("way", "furlong", {}, "way_furlong", id="unit without a word"),
    ],
)
def test_metric_name(name, unit, kind, expected):
    assert metric_name(name, unit, **kind) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("http.method", "http_method", id="dot"),
        pytest.param("2xx", "key_2xx", id="digit first"),
        pytest.param("_own", "key_own", id="underscore first"),
        pytest.param("__own", "__own", id="reserved"),
    ],
)
def test_label_name(key, expected):
    assert label_name(key) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(
            export(gauge(point(text("queue.name", "mail"), asInt="7"), point(asDouble=0.5))),
            {'depth{queue_name="mail"}': [7.0], "depth": [0.5]},
            id="gauge, whole and not",
        ),
        pytest.param(
            export(total(point(ago_ms=10, asInt="3"), point(asInt="5"))),
            {"requests_total": [3.0, 5.0]},
            id="cumulative sum",
        ),
        pytest.param(
            export(total(point(asInt="-3"), monotonic=False)), {"requests": [-3.0]}, id="up and down"
        ),
        pytest.param(
            export(
                histogram(point(count="6", sum=4.5, bucketCounts=["1", "2", "3"], explicitBounds=[0.25, 1]))
            ),
            {
                'latency_seconds_bucket{le="0.25"}': [1.0],
                'latency_seconds_bucket{le="1"}': [3.0],
                'latency_seconds_bucket{le="+Inf"}': [6.0],
                "latency_seconds_sum": [4.5],
                "latency_seconds_count": [6.0],
            },
            id="histogram",
        ),
        pytest.param(
            export(histogram(point(count="6"))),
            {'latency_seconds_bucket{le="+Inf"}': [6.0], "latency_seconds_count": [6.0]},
            id="histogram without sum and buckets",
        ),
        pytest.param(
            export(
                {
                    "name": "took",
                    "summary": {
                        "dataPoints": [
                            point(count="2", sum=3, quantileValues=[{"quantile": 0.5, "value": 1.5}])
                        ]
                    },
                }
            ),
            {'took{quantile="0.5"}': [1.5], "took_sum": [3.0], "took_count": [2.0]},
            id="summary",
        ),
        pytest.param(
            export(
                gauge(point(asInt="1")),
                resource=[
                    text("service.name", "shop"),
                    text("service.namespace", "eu"),
                    text("service.instance.id", "i-1"),
                    text("host.name", "h"),
                ],
            ),
            {
                'depth{instance="i-1", job="eu/shop"}': [1.0],
                'target_info{host_name="h", instance="i-1", job="eu/shop"}': [1.0],
            },
            id="resource",
        ),
        pytest.param(
            export(gauge(point(asInt="1")), resource=[text("host.name", "h")]),
            {"depth": [1.0]},
            id="resource of nobody",
        ),
        pytest.param(
            export(gauge(point(text("a.b", "2"), text("a-b", "1"), asInt="1"))),
            {'depth{a_b="1;2"}': [1.0]},
            id="keys that become one label",
        ),
        pytest.param(
            export(
                gauge(
                    point(
                        {"key": "b", "value": {"boolValue": True}},
                        {"key": "d", "value": {"doubleValue": 1.5}},
                        {"key": "i", "value": {"intValue": "4"}},
                        {"key": "l", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}},
                        {"key": "m", "value": {"kvlistValue": {"values": [text("k", "v")]}}},
                        {"key": "n", "value": {}},
                        {"key": "y", "value": {"bytesValue": "AQI="}},
                        asInt="1",
                    )
                )
            ),
            {r'depth{b="true", d="1.5", i="4", l="[1]", m="{\"k\":\"v\"}", y="AQI="}': [1.0]},
            id="values that are not text",
        ),
    ],
)
def test_what_becomes_of_a_metric(sent, expected):
    series, refused = stored(sent)
    assert (values(series), refused) == (expected, {})


def test_delta_sums_add_up_from_request_to_request_and_a_repeated_one_adds_nothing():
    first = export(total(point(ago_ms=20_000, asInt="3"), temporality=DELTA))
    second = export(total(point(ago_ms=10_000, asInt="4"), temporality=DELTA))

    series, refused = stored(first, second, second)

    assert values(series) == {"requests_total": [3.0, 7.0]}
    assert refused == {"delta_out_of_order": 1}


def test_delta_histograms_add_up():
    series, _ = stored(
        *(
            export(
                histogram(
                    point(ago_ms=ago_ms, count="3", sum=1.5, bucketCounts=["1", "2"], explicitBounds=[1]),
                    temporality=DELTA,
                )
            )
            for ago_ms in (2000, 1000)
        )
    )

    assert values(series) == {
        'latency_seconds_bucket{le="1"}': [1.0, 2.0],
        'latency_seconds_bucket{le="+Inf"}': [3.0, 6.0],
        "latency_seconds_sum": [1.5, 3.0],
        "latency_seconds_count": [3.0, 6.0],
    }


@pytest.mark.parametrize("metric", [gauge, total], ids=["gauge", "sum"])
def test_point_without_a_recorded_value_ends_its_series(metric):
    series, _ = stored(export(metric(point(ago_ms=10, asInt="1"), point(flags=1))))

    (found,) = series.values()
    assert is_stale(found).tolist() == [False, True]


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        pytest.param(
            {"name": "e", "exponentialHistogram": {"dataPoints": [point(count="1")]}},
            "exponential_histogram",
            id="exponential histogram",
        ),
        pytest.param(
            total(point(asInt="1"), temporality=DELTA, monotonic=False), "delta_not_monotonic", id="delta"
        ),
        pytest.param(total(point(asInt="1"), temporality=0), "unknown_temporality", id="temporality"),
        pytest.param(
            total(point(asDouble="NaN"), temporality=DELTA), "delta_not_finite", id="delta that is no number"
        ),
        pytest.param(gauge(point()), "no_value", id="no value"),
        pytest.param(gauge(point(asInt="1"), name="…"), "missing_metric_name", id="no name"),
        pytest.param(gauge(point(asInt="1", ago_ms=9 * 3_600_000)), "too_old", id="too old"),
    ],
)
def test_refused_alone_with_a_reason(metric, reason):
    series, refused = stored(export(metric, gauge(point(asInt="1"), name="neighbour")))

    assert refused == {reason: 1}
    assert list(series) == ["neighbour"]


def test_more_series_than_a_request_may_carry():
    with pytest.raises(TooManySeries, match="more than 1 series"):
        stored(
            export(gauge(point(asInt="1"), point(text("a", "b"), asInt="1"))),
            max_series=1,
        )


def test_both_forms_of_a_body_read_alike():
    sent = export(gauge(point(text("ü", "…"), asDouble="Infinity")))
    message = ParseDict(sent, ExportMetricsServiceRequest())

    of_json = decode_export(json.dumps(sent | {"unknown": 1}).encode(), JSON, IngestLimits())
    of_protobuf = decode_export(message.SerializeToString(), PROTOBUF, IngestLimits())

    assert of_json == of_protobuf == message
    assert math.isinf(of_json.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].as_double)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"\x0a\xff", PROTOBUF, id="cut"),
        pytest.param(b"\xff" * 20, PROTOBUF, id="no protobuf"),
        pytest.param(b"{", JSON, id="no JSON"),
        pytest.param(b"\xff", JSON, id="no UTF-8"),
        pytest.param(b'{"resourceMetrics": 1}', JSON, id="another shape"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, JSON, id="nested without end"),
    ],
)
def test_body_that_does_not_read(body, kind):
    with pytest.raises(MalformedBody, match=rf"body of {len(body)} bytes is not an export"):
        decode_export(body, kind, IngestLimits())


def test_body_of_more_bytes_than_allowed():
    with pytest.raises(BodyTooLarge, match="101 bytes, limit is 100"):
        decode_export(b" " * 101, JSON, IngestLimits(max_body_bytes=100))


def test_gzip():
    limits = IngestLimits(max_body_bytes=1000)
    packed = gzip.compress(b"a" * 1000)

    assert unpack_gzip(packed, limits) == b"a" * 1000
    with pytest.raises(BodyTooLarge, match="1001 bytes"):
        unpack_gzip(gzip.compress(b"a" * 10_000_000), limits)
    for broken in (packed[:-1], packed + b"x", b"a" * 30, b""):
        with pytest.raises(MalformedBody, match="gzip"):
            unpack_gzip(broken, limits)


def test_answer_counts_what_was_rejected():
    receipt = WriteReceipt(3, {"too_old": 2})
    answer = ExportMetricsServiceResponse.FromString(export_response(receipt, PROTOBUF))

    assert answer.partial_success.rejected_data_points == 2
    assert answer.partial_success.error_message == "accepted 3 samples, refused 2: too_old 2"
    assert json.loads(export_response(receipt, JSON))["partialSuccess"]["rejectedDataPoints"] == "2"
    assert export_response(WriteReceipt(3), PROTOBUF) == b""
    assert json.loads(export_response(WriteReceipt(3), JSON)) == {}


def test_failure_is_a_status_with_the_message_in_its_second_field():
    assert failure_response("no") == b"\x12\x02no"
