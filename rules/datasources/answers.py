"""What a Prometheus-compatible server answers, read with distrust.

In: the body of an answer. Out: label sets and values. Refused, as `DatasourceFailed`: what is no such JSON,
what the server itself calls an error (in its words), ranges where an instant vector is asked for, native
histograms, label names and values that no series here could have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from alertsite.core.errors import PlatformError
from alertsite.core.labels import LABEL_NAME, LabelSet, label_set
from alertsite.core.samples import Floats
from rules.evaluation.remote import Answer

MAX_WORDS: Final = 500
"""Characters of a server's own words that are kept."""
Value = tuple[float, str]
"""Unix seconds, and a number in Prometheus's notation."""


T = TypeVar("T", bound=BaseModel)


class DatasourceFailed(PlatformError):
    """A datasource gave no answer that can be used."""

    code = "datasource.failed"


class _Element(BaseModel):
    metric: dict[str, str]
    value: Value | None = None


class _Vector(BaseModel):
    resultType: Literal["vector"]  # noqa: N815 (Prometheus's name)
    result: list[_Element]


class _Scalar(BaseModel):
    resultType: Literal["scalar"]  # noqa: N815
    result: Value


class _Series(BaseModel):
    metric: dict[str, str]
    values: list[Value] | None = None


class _Matrix(BaseModel):
    resultType: Literal["matrix"]  # noqa: N815
    result: list[_Series]


class _Instant(BaseModel):
    status: Literal["success"]
    data: _Vector | _Scalar


class _Range(BaseModel):
    status: Literal["success"]
    data: _Matrix


class _Refusal(BaseModel):
    status: Literal["error"]
    errorType: str = ""  # noqa: N815
    error: str = ""


class _Build(BaseModel):
    data: dict[str, Any]


def read_instant(status: int, body: bytes) -> Answer:
    """The vector in the answer to a query at one time; a scalar is a vector of one element without labels.

    Raises
    ------
    DatasourceFailed
    """
    data = _parsed(_Instant, status, body).data
    if isinstance(data, _Scalar):
        return Answer([()], np.array([_number(data.result[1])]))
    label_sets = [_labels(one.metric) for one in data.result]
    return Answer(label_sets, np.array([_value(one) for one in data.result], np.float64))


def read_range(status: int, body: bytes) -> Iterator[tuple[LabelSet, list[int], Floats]]:
    """Label set, times in milliseconds and values of each series in the answer to a query over a range.

    Raises
    ------
    DatasourceFailed
    """
    for series in _parsed(_Range, status, body).data.result:
        if series.values is None:
            raise DatasourceFailed("the answer has native histograms, which rules here cannot use")
        times_ms = [round(at_s * 1000) for at_s, _ in series.values]
        yield _labels(series.metric), times_ms, np.array([_number(text) for _, text in series.values])


def read_version(body: bytes) -> str:
    """The version that a server calls itself; empty when it does not say."""
    try:
        return str(_Build.model_validate_json(body).data.get("version", ""))[:MAX_WORDS]
    except ValidationError:
        return ""


def _parsed(shape: type[T], status: int, body: bytes) -> T:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise DatasourceFailed(_why(status, body, error)) from None


def _why(status: int, body: bytes, error: ValidationError) -> str:
    """Why an answer cannot be used: the server's own words where it has some."""
    try:
        refusal = _Refusal.model_validate_json(body)
    except ValidationError:
        if not 200 <= status < 300:
            return f"it answered with HTTP status {status}"
        return f"its answer is none of Prometheus's: {error.errors()[0]['msg']}"
    return _plain(f"{refusal.errorType}: {refusal.error}")


def _plain(words: str) -> str:
    """Words that a ledger row can hold."""
    return words.replace("\0", "�")[:MAX_WORDS]


def _value(element: _Element) -> float:
    if element.value is None:
        raise DatasourceFailed("the answer has native histograms, which rules here cannot use")
    return _number(element.value[1])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DatasourceFailed(f"the answer has {_plain(text)!r} where a number is expected") from None


def _labels(metric: Mapping[str, str]) -> LabelSet:
    for name, value in metric.items():
        if not LABEL_NAME.fullmatch(name) or "\0" in value:
            raise DatasourceFailed(f"the answer has a label {_plain(name)!r} that no series here can have")
    return label_set(metric)
