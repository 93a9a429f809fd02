"""The real OpenTelemetry SDK exports here, cumulative and delta; the query API answers what it counted."""

from __future__ import annotations

import time

import pytest

from tests.end_to_end.client import Person

pytestmark = pytest.mark.slow

metrics = pytest.importorskip("opentelemetry.sdk.metrics")
sdk_export = pytest.importorskip("opentelemetry.sdk.metrics.export")
resources = pytest.importorskip("opentelemetry.sdk.resources")
exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.metric_exporter")
http = pytest.importorskip("opentelemetry.exporter.otlp.proto.http")

DELTA, CUMULATIVE = sdk_export.AggregationTemporality.DELTA, sdk_export.AggregationTemporality.CUMULATIVE
NEVER_MS = 3_600_000
"""Exports happen when the test flushes."""


@pytest.fixture
def platform(start):
    up = start()
    up.wait_until_up()
    person = Person(up.port, up.output)
    key = person.call("POST", "/api/api-keys/", json={"name": "writer", "scopes": ["ingest"]})["secret"]
    yield person, f"http://127.0.0.1:{up.port}/v1/metrics", key
    person.close()


def provider_for(url, key, service, temporality):
    sender = exporter.OTLPMetricExporter(
        endpoint=url,
        headers={"Authorization": f"Bearer {key}"},
        compression=http.Compression.Gzip,
        preferred_temporality=dict.fromkeys((metrics.Counter, metrics.Histogram), temporality),
    )
    reader = sdk_export.PeriodicExportingMetricReader(sender, export_interval_millis=NEVER_MS)
    identity = {"service.name": service, "service.instance.id": "one", "deployment.environment": "test"}
    return metrics.MeterProvider([reader], resource=resources.Resource(identity))


def value_of(person, query):
    answer = person.call("GET", "/prometheus/api/v1/query", params={"query": query})
    return [float(one["value"][1]) for one in answer["data"]["result"]]


def test_what_the_sdk_counts_is_what_is_stored(platform):
    person, url, key = platform
    providers = {
        name: provider_for(url, key, name, temporality)
        for name, temporality in (("delta", DELTA), ("cumulative", CUMULATIVE))
    }
    for provider in providers.values():
        meter = provider.get_meter("shop")
        orders = meter.create_counter("shop.orders", unit="{order}")
        took = meter.create_histogram("shop.took", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1])
        for _ in range(2):
            orders.add(3, {"pay.kind": "card"})
            took.record(0.5)
            assert provider.force_flush()
            time.sleep(0.01)  # instants of points are told apart by the millisecond

    for name, provider in providers.items():
        assert value_of(person, f'shop_orders_total{{job="{name}",instance="one",pay_kind="card"}}') == [6.0]
        assert value_of(person, f'shop_took_seconds_bucket{{job="{name}",le="0.1"}}') == [0.0]
        assert value_of(person, f'shop_took_seconds_bucket{{job="{name}",le="1"}}') == [2.0]
        assert value_of(person, f'shop_took_seconds_sum{{job="{name}"}}') == [1.0]
        assert value_of(person, f'target_info{{job="{name}",deployment_environment="test"}}') == [1.0]
        provider.shutdown()
