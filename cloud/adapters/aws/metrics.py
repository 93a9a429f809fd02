"""Samples of CloudWatch's metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from alertsite.core.clock import from_datetime, to_datetime
from cloud.adapters.aws.session import AwsSession
from cloud.adapters.errors import ActionRefused
from cloud.adapters.labelling import series_name, snake
from cloud.adapters.protocol import MetricQuery, MetricSeries

AT_ONCE: Final = 100
"""Of how many series one call asks; CloudWatch takes 500, and bills each."""

NAMESPACES: Final = {
    "instance": "AWS/EC2",
    "group": "AWS/AutoScaling",
    "service": "AWS/ECS",
    "database": "AWS/RDS",
    "function": "AWS/Lambda",
}


def pulled(session: AwsSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
    """The averages of each asked metric."""
    waiting = iter(queries)
    while batch := list(islice(waiting, AT_ONCE)):
        yield from _batch(session, batch)


def _batch(session: AwsSession, queries: Sequence[MetricQuery]) -> Iterator[MetricSeries]:
    asked: dict[str, Any] = {
        "MetricDataQueries": [_question(f"m{number}", query) for number, query in enumerate(queries)],
        "StartTime": to_datetime(min(query.start_ms for query in queries)),
        "EndTime": to_datetime(max(query.end_ms for query in queries)),
        "ScanBy": "TimestampAscending",
    }
    while True:
        answer = session.ask("cloudwatch", "get_metric_data", "", **asked)
        for found in answer["MetricDataResults"]:
            if found["Values"]:
                yield _series(queries[int(found["Id"][1:])], found)
        if not answer.get("NextToken"):
            return
        asked["NextToken"] = answer["NextToken"]


def _question(name: str, query: MetricQuery) -> dict[str, Any]:
    if query.resource_kind not in NAMESPACES:
        raise ActionRefused(f"resource kind is {query.resource_kind!r}, accepts {', '.join(NAMESPACES)}")
    metric = {
        "Namespace": NAMESPACES[query.resource_kind],
        "MetricName": query.metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions.items()],
    }
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": query.period_s, "Stat": "Average"}}


def _series(query: MetricQuery, found: Any) -> MetricSeries:
    labels = {snake(name): value for name, value in query.dimensions.items()}
    return MetricSeries(
        {"__name__": series_name("aws", query.metric)} | labels,
        [from_datetime(moment) for moment in found["Timestamps"]],
        list(found["Values"]),
    )
