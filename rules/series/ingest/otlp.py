"""An OTLP metrics export in, samples in the store out, named as Prometheus names them.

Gauges and cumulative sums are stored as they are; a histogram or summary becomes its classic series. Delta
sums and histograms are added to running totals first. Resource attributes become `job` and `instance`, the
rest of them the labels of `target_info`. Exponential histograms, delta sums that may fall (a total that was
lost could not be told from a fall), points without a value and series with bad labels are refused alone, with
a reason and a count.
"""

from __future__ import annotations

import base64
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    SummaryDataPoint,
)

from alertsite.core.labels import METRIC_NAME
from alertsite.core.samples import STALE_NAN
from rules.series.deltas import DeltaRefusal, DeltaTotals, Increase
from rules.series.encoded import EncodedBatch, EncodedWriter
from rules.series.encoding import check_labels, encode_labels
from rules.series.errors import RefusedLabels, TooManySeries
from rules.series.ingest.otlp_names import label_name, metric_name
from rules.series.limits import IngestLimits
from rules.series.protocols import WriteReceipt

Point: TypeAlias = NumberDataPoint | HistogramDataPoint | SummaryDataPoint

_DEFAULT_LIMITS: Final = IngestLimits()
_NS_PER_MS: Final = 1_000_000
_DELTA: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_NO_RECORDED_VALUE: Final = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_IDENTIFYING: Final = frozenset({"service.name", "service.namespace", "service.instance.id"})


class _Part(NamedTuple):
    """One of the samples that a point makes."""

    suffix: str
    """Behind the metric's name."""
    label: tuple[str, str] | None
    value: float


@dataclass(slots=True)
class _Collected:
    """Samples so far; each has its own entry in `labels`, the same labels may stand more than once."""

    max_series: int
    labels: list[bytes] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    deltas: list[int] = field(default_factory=list)
    """Positions of samples that are increases as yet."""
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, labels: Mapping[str, str], timestamp_ms: int, value: float, *, delta: bool = False) -> None:
        """Take in one sample; one with bad labels is counted only."""
        try:
            key = encode_labels(check_labels(list(labels.items())))
        except RefusedLabels as refusal:
            self.refused[refusal.reason] += 1
            return
        if delta and not math.isfinite(value):
            self.refused["delta_not_finite"] += 1
            return
        if len(self.labels) == self.max_series:
            raise TooManySeries(self.max_series)
        if delta:
            self.deltas.append(len(self.labels))
        self.labels.append(key)
        self.timestamps_ms.append(timestamp_ms)
        self.values.append(value)

    def accumulate(self, totals: DeltaTotals, *, now_ms: int) -> None:
        """Turn increases into totals; what was refused loses its sample."""
        increases = [Increase(self.labels[at], self.timestamps_ms[at], self.values[at]) for at in self.deltas]
        lost = set()
        for at, total in zip(self.deltas, totals.add(increases, now_ms=now_ms), strict=True):
            if isinstance(total, DeltaRefusal):
                self.refused[total.value] += 1
                lost.add(at)
            else:
                self.values[at] = total
        if lost:
            kept = [at for at in range(len(self.labels)) if at not in lost]
            self.labels = [self.labels[at] for at in kept]
            self.timestamps_ms = [self.timestamps_ms[at] for at in kept]
            self.values = [self.values[at] for at in kept]
        self.deltas = []

    def batch(self) -> EncodedBatch:
        """All samples, for the store."""
        return EncodedBatch(
            self.labels,
            np.arange(len(self.labels), dtype=np.int64),
            np.array(self.timestamps_ms, np.int64),
            np.array(self.values, np.float64),
        )


def ingest_otlp(
    request: ExportMetricsServiceRequest,
    store: EncodedWriter,
    totals: DeltaTotals,
    *,
    now_ms: int,
    limits: IngestLimits = _DEFAULT_LIMITS,
) -> WriteReceipt:
    """Store the points of one export.

    A request that is sent again adds nothing to any total: its increases are refused as `delta_out_of_order`.

    Raises
    ------
    TooManySeries
        If the request makes more than `limits.max_series` samples; nothing of it was stored.
    """
    collected = _Collected(limits.max_series)
    for resource_metrics in request.resource_metrics:
        _collect_resource(resource_metrics, collected)
    if collected.deltas:
        collected.accumulate(totals, now_ms=now_ms)
    return store.append_encoded(collected.batch(), now_ms=now_ms).also_refused(collected.refused)


def _collect_resource(resource_metrics: ResourceMetrics, collected: _Collected) -> None:
    attributes = resource_metrics.resource.attributes
    identity = _identity(attributes)
    newest_ms = 0
    for scope_metrics in resource_metrics.scope_metrics:
        for metric in scope_metrics.metrics:
            newest_ms = max(newest_ms, _collect_metric(metric, identity, collected))
    described = _labels([one for one in attributes if one.key not in _IDENTIFYING])
    if newest_ms and identity and described:
        collected.add(described | identity | {METRIC_NAME: "target_info"}, newest_ms, 1.0)


def _identity(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """`job` and `instance`, as far as the resource says them."""
    said = {one.key: _text(one.value) for one in attributes if one.key in _IDENTIFYING}
    identity = {}
    if "service.name" in said:
        namespace = f"{said['service.namespace']}/" if "service.namespace" in said else ""
        identity["job"] = namespace + said["service.name"]
    if "service.instance.id" in said:
        identity["instance"] = said["service.instance.id"]
    return identity


def _collect_metric(metric: Metric, identity: dict[str, str], collected: _Collected) -> int:
    """Take in the points of one metric. Its newest timestamp, 0 if it has none."""
    points, refusal = _points(metric)
    if refusal:
        collected.refused[refusal] += len(points)
        return 0
    name = metric_name(
        metric.name, metric.unit, monotonic=metric.sum.is_monotonic, gauge=metric.HasField("gauge")
    )
    delta = _DELTA in {metric.sum.aggregation_temporality, metric.histogram.aggregation_temporality}
    newest_ms = 0
    for point in points:
        timestamp_ms = point.time_unix_nano // _NS_PER_MS
        newest_ms = max(newest_ms, timestamp_ms)
        labels = _labels(point.attributes) | identity
        ended = bool(point.flags & _NO_RECORDED_VALUE)
        parts = list(_parts(point))
        if not parts:
            collected.refused["no_value"] += 1
        for suffix, label, value in parts:
            own = dict([label]) if label else {}
            series = labels | own | {METRIC_NAME: f"{name}{suffix}" if name else ""}
            collected.add(
                series, timestamp_ms, float(STALE_NAN) if ended else value, delta=delta and not ended
            )
    return newest_ms


def _points(metric: Metric) -> tuple[list[Point], str]:
    """The points of a metric, and why none of them can be taken, if so."""
    match metric.WhichOneof("data"):
        case "gauge":
            return list(metric.gauge.data_points), ""
        case "sum":
            return list(metric.sum.data_points), _sum_refusal(metric)
        case "histogram":
            known = metric.histogram.aggregation_temporality in {_DELTA, _CUMULATIVE}
            return list(metric.histogram.data_points), "" if known else "unknown_temporality"
        case "summary":
            return list(metric.summary.data_points), ""
        case "exponential_histogram":
            # Only their number is asked for.
            return [NumberDataPoint()] * len(
                metric.exponential_histogram.data_points
            ), "exponential_histogram"
        case _:
            return [], ""


def _sum_refusal(metric: Metric) -> str:
    temporality = metric.sum.aggregation_temporality
    if temporality not in {_DELTA, _CUMULATIVE}:
        return "unknown_temporality"
    return "delta_not_monotonic" if temporality == _DELTA and not metric.sum.is_monotonic else ""


def _parts(point: Point) -> Iterator[_Part]:
    if isinstance(point, NumberDataPoint):
        return _number_parts(point)
    if isinstance(point, HistogramDataPoint):
        return _histogram_parts(point)
    return _summary_parts(point)


def _number_parts(point: NumberDataPoint) -> Iterator[_Part]:
    kind = point.WhichOneof("value")
    if kind == "as_int":
        yield _Part("", None, float(point.as_int))
    elif kind == "as_double" or point.flags & _NO_RECORDED_VALUE:
        yield _Part("", None, point.as_double)


def _histogram_parts(point: HistogramDataPoint) -> Iterator[_Part]:
    """Buckets count from nothing up to their bound, the last one all: OTLP counts each bucket alone."""
    if point.HasField("sum"):
        yield _Part("_sum", None, point.sum)
    yield _Part("_count", None, float(point.count))
    below = 0
    for bound, count in zip(point.explicit_bounds, point.bucket_counts, strict=False):
        below += count
        if bound != math.inf:
            yield _Part("_bucket", ("le", _number_text(bound)), float(below))
    yield _Part("_bucket", ("le", "+Inf"), float(point.count))


def _summary_parts(point: SummaryDataPoint) -> Iterator[_Part]:
    yield _Part("_sum", None, point.sum)
    yield _Part("_count", None, float(point.count))
    for one in point.quantile_values:
        yield _Part("", ("quantile", _number_text(one.quantile)), one.value)


def _labels(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Labels of attributes. Values of keys that become the same name are joined, in the order of the keys."""
    labels: dict[str, str] = {}
    for one in sorted(attributes, key=lambda one: one.key):
        name, text = label_name(one.key), _text(one.value)
        labels[name] = f"{labels[name]};{text}" if name in labels else text
    return labels


def _text(value: AnyValue) -> str:
    """An attribute's value as Prometheus writes it: text as is, lists and maps in JSON, bytes in base64."""
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    if isinstance(plain, float):
        return _number_text(plain)
    return "" if plain is None else json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: _plain(one.value) for one in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case None:
            return None
        case kind:
            plain: object = getattr(value, kind)
            return plain


def _number_text(value: float) -> str:
    """The shortest digits that read back the same, without an exponent: `1`, `0.25`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return np.format_float_positional(value, trim="-")
