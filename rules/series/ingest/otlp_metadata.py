"""Descriptions of metrics inside an OTLP export, under the names that Prometheus gives them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from rules.series.ingest.otlp_names import UNITS, metric_name
from rules.series.metadata import Description

_TYPES: Final = {"gauge": "gauge", "histogram": "histogram", "summary": "summary"}


def described_by(request: ExportMetricsServiceRequest) -> Iterator[Description]:
    """A description of each metric that is stored."""
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                kind = _type(metric)
                if kind:
                    yield Description(_name(metric), kind, metric.description, _unit(metric.unit))


def _type(metric: Metric) -> str:
    data = metric.WhichOneof("data") or ""
    if data == "sum":
        return "counter" if metric.sum.is_monotonic else "gauge"
    return _TYPES.get(data, "")


def _name(metric: Metric) -> str:
    return metric_name(
        metric.name, metric.unit, monotonic=metric.sum.is_monotonic, gauge=metric.HasField("gauge")
    )


def _unit(unit: str) -> str:
    return UNITS.get(unit, unit)
