"""Prometheus's JSON: values as texts, times as seconds, errors with a type."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np
from django.http import HttpResponse

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LabelSet
from rules.language.engine import InstantResult, RangeResult

_ERROR_TYPES: Final = {
    "query.execution": ("execution", 422),
    "query.too_expensive": ("execution", 422),
    "query.timeout": ("timeout", 503),
    "not_authenticated": ("unauthorized", 401),
    "tenant.foreign": ("forbidden", 403),
    "scope.missing": ("forbidden", 403),
}


def format_sample(value: float) -> str:
    """A value as Go prints it: positional from 1e-6 up to 1e21, with an exponent outside."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text and 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(text), "f")
    elif "e" not in text and value and abs(value) < 1e-6:
        text = f"{Decimal(text):e}"
    return text.removesuffix(".0")


def seconds(timestamp_ms: int) -> float | int:
    """Unix seconds, whole where they are."""
    whole, rest = divmod(timestamp_ms, 1000)
    return timestamp_ms / 1000 if rest else whole


def success(data: Any, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> HttpResponse:
    """A successful answer."""
    answer: dict[str, Any] = {"status": "success", "data": data}
    if warnings:
        answer["warnings"] = list(warnings)
    if infos:
        answer["infos"] = list(infos)
    return HttpResponse(json.dumps(answer, separators=(",", ":")), content_type="application/json")


def failure(error: PlatformError) -> HttpResponse:
    """An error answer: anything that is no fault of evaluation is bad data."""
    kind, status = _ERROR_TYPES.get(error.code, ("bad_data", 400))
    answer = {"status": "error", "errorType": kind, "error": error.detail}
    return HttpResponse(
        json.dumps(answer, separators=(",", ":")), status=status, content_type="application/json"
    )


def instant_data(result: InstantResult, at_ms: int) -> dict[str, Any]:
    """The `data` of an instant query."""
    if result.kind == "string":
        return {"resultType": "string", "result": [seconds(at_ms), result.text]}
    values = [format_sample(value) for value in result.values.tolist()]
    times = [seconds(moment) for moment in result.timestamps_ms.tolist()]
    if result.kind == "scalar":
        return {"resultType": "scalar", "result": [seconds(at_ms), values[0]]}
    points = list(zip(times, values, strict=True))
    if result.kind == "vector":
        rows = [
            {"metric": dict(labels), "value": point}
            for labels, point in zip(result.labels, points, strict=True)
        ]
        return {"resultType": "vector", "result": rows}
    spans = zip(result.offsets[:-1].tolist(), result.offsets[1:].tolist(), strict=True)
    return {
        "resultType": "matrix",
        "result": [
            {"metric": dict(labels), "values": points[start:stop]}
            for labels, (start, stop) in zip(result.labels, spans, strict=True)
        ],
    }


def range_data(result: RangeResult) -> dict[str, Any]:
    """The `data` of a range query."""
    times = np.array([seconds(moment) for moment in result.times_ms.tolist()], object)
    rows: list[dict[str, Any]] = []
    for labels, values, present in zip(result.labels, result.values, result.present, strict=True):
        texts = [format_sample(value) for value in values[present].tolist()]
        rows.append(
            {"metric": dict(labels), "values": list(zip(times[present].tolist(), texts, strict=True))}
        )
    return {"resultType": "matrix", "result": rows}


def limited(data: dict[str, Any], limit: int) -> bool:
    """Cut a vector or matrix to `limit` series; whether anything was cut. No limit is 0."""
    rows = data["result"]
    if not limit or data["resultType"] not in {"vector", "matrix"} or len(rows) <= limit:
        return False
    data["result"] = rows[:limit]
    return True


def label_names(label_sets: Iterable[LabelSet]) -> list[str]:
    """Every label name, sorted."""
    return sorted({name for labels in label_sets for name, _ in labels})


def label_values(label_sets: Iterable[LabelSet], name: str) -> list[str]:
    """Every value of one label, sorted."""
    return sorted({value for labels in label_sets for own, value in labels if own == name})
