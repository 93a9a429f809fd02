"""Samples of Azure Monitor's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alertsite.core.clock import from_datetime, to_datetime
from cloud.adapters.azure.session import AzureSession
from cloud.adapters.errors import ActionRefused
from cloud.adapters.labelling import series_name
from cloud.adapters.protocol import MetricQuery, MetricSeries

KINDS = {
    "instance": "Microsoft.Compute/virtualMachines",
    "group": "Microsoft.Compute/virtualMachineScaleSets",
}


def pulled(session: AzureSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
    """The averages of each asked metric. A query's dimensions are `resource_group` and `name`."""
    for query in queries:
        found = session.call(
            "metrics.list",
            session.monitor.metrics.list,
            _resource(session, query),
            timespan=f"{_iso(query.start_ms)}/{_iso(query.end_ms)}",
            interval=f"PT{max(query.period_s // 60, 1)}M",
            metricnames=query.metric,
            aggregation="Average",
        )
        for metric in found.value:
            yield from _series(query, metric)


def _resource(session: AzureSession, query: MetricQuery) -> str:
    if query.resource_kind not in KINDS:
        raise ActionRefused(f"resource kind is {query.resource_kind!r}, accepts {', '.join(KINDS)}")
    group, name = session.where(query.dimensions.get("resource_group", "")), query.dimensions["name"]
    kind = KINDS[query.resource_kind]
    return f"subscriptions/{session.settings.subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def _iso(timestamp_ms: int) -> str:
    return to_datetime(timestamp_ms).strftime("%Y-%m-%dT%H:%M:%SZ")


def _series(query: MetricQuery, metric: Any) -> Iterator[MetricSeries]:
    for series in metric.timeseries:
        points = [one for one in series.data if one.average is not None]
        if points:
            yield MetricSeries(
                {"__name__": series_name("azure", query.metric)} | dict(query.dimensions),
                [from_datetime(one.time_stamp) for one in points],
                [float(one.average) for one in points],
            )
