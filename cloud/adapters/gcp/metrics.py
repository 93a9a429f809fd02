"""Samples of Cloud Monitoring's metrics, which are asked for by gRPC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport

from cloud.adapters.gcp.session import TIMEOUT_S, GcpSession
from cloud.adapters.guarding import check_reachable
from cloud.adapters.labelling import labels_of, series_name
from cloud.adapters.protocol import MetricQuery, MetricSeries


def pulled(session: GcpSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
    """The means of each asked metric, such as `compute.googleapis.com/instance/cpu/utilization`."""
    client = _client(session)
    for query in queries:
        found = session.call(
            "monitoring.list_time_series",
            client.list_time_series,
            request=_question(session, query),
            retry=None,
            timeout=TIMEOUT_S,
        )
        for series in found.time_series:
            yield _series(query, series)


def _client(session: GcpSession) -> Any:
    where = session.settings.monitoring_endpoint
    if not where:
        return monitoring_v3.MetricServiceClient(credentials=session.credentials)
    check_reachable(f"http://{where}", session.surroundings)
    transport = MetricServiceGrpcTransport(channel=grpc.insecure_channel(where))
    return monitoring_v3.MetricServiceClient(transport=transport)


def _question(session: GcpSession, query: MetricQuery) -> dict[str, Any]:
    wanted = [f'metric.type = "{query.metric}"']
    wanted += [f'resource.labels.{name} = "{value}"' for name, value in query.dimensions.items()]
    return {
        "name": f"projects/{session.settings.project}",
        "filter": " AND ".join(wanted),
        "interval": {
            "start_time": {"seconds": query.start_ms // 1000},
            "end_time": {"seconds": query.end_ms // 1000},
        },
        "aggregation": {
            "alignment_period": {"seconds": query.period_s},
            "per_series_aligner": monitoring_v3.Aggregation.Aligner.ALIGN_MEAN,
        },
        "view": monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.FULL,
    }


def _series(query: MetricQuery, series: Any) -> MetricSeries:
    labels = labels_of(dict(series.resource.labels) | dict(series.metric.labels))
    name = series_name("gcp", query.metric.partition("/")[2])
    points = sorted((int(one.interval.end_time.timestamp() * 1000), _value(one)) for one in series.points)
    return MetricSeries({"__name__": name} | labels, [at for at, _ in points], [value for _, value in points])


def _value(point: Any) -> float:
    value = point.value
    return float(value.double_value if "double_value" in value else value.int64_value)
