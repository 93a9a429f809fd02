"""JSON lines: `{"labels": {"__name__": "up", ...}, "samples": [[timestamp_ms, value], ...]}` on each.

A value is a number, or one of the strings "NaN", "+Inf" and "-Inf", which JSON cannot write as numbers. Blank
lines are passed over. A line of another form refuses the body whole and is named; a series with bad labels is
refused alone.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

import numpy as np

from rules.series.encoded import EncodedBatch, EncodedWriter
from rules.series.encoding import check_labels, encode_labels
from rules.series.errors import BodyTooLarge, MalformedJson, RefusedLabels, TooManySamples, TooManySeries
from rules.series.limits import IngestLimits
from rules.series.protocols import WriteReceipt

_DEFAULT_LIMITS: Final = IngestLimits()
_SPECIAL_VALUES: Final = {"NaN": float("nan"), "+Inf": float("inf"), "-Inf": float("-inf")}
_TIMESTAMP_BOUND: Final = 1 << 62

_Members: TypeAlias = tuple[tuple[str, object], ...]
"""A JSON object, names in the order written and possibly twice."""


@dataclass(slots=True)
class _Collected:
    labels: list[bytes] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, labels: _Members, samples: list[tuple[int, float]]) -> None:
        """Take in one line; a series with bad labels is counted only."""
        try:
            key = encode_labels(check_labels([(name, str(value)) for name, value in labels]))
        except RefusedLabels as refusal:
            self.refused[refusal.reason] += len(samples)
            return
        self.series.extend([len(self.labels)] * len(samples))
        self.labels.append(key)
        for timestamp_ms, value in samples:
            self.timestamps_ms.append(timestamp_ms)
            self.values.append(value)


def ingest_json_lines(
    body: bytes, store: EncodedWriter, *, now_ms: int, limits: IngestLimits = _DEFAULT_LIMITS
) -> WriteReceipt:
    """Store the samples of one request body.

    Raises
    ------
    IngestError
        If the body is refused whole; nothing of it was stored.
    """
    if len(body) > limits.max_body_bytes:
        raise BodyTooLarge(len(body), limits.max_body_bytes)
    collected = _Collected()
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line.strip():
            collected.add(*_parse_line(number, line))
        if len(collected.labels) > limits.max_series:
            raise TooManySeries(limits.max_series)
        if len(collected.values) > limits.max_samples:
            raise TooManySamples(limits.max_samples)
    batch = EncodedBatch(
        collected.labels,
        np.array(collected.series, np.int64),
        np.array(collected.timestamps_ms, np.int64),
        np.array(collected.values, np.float64),
    )
    return store.append_encoded(batch, now_ms=now_ms).also_refused(collected.refused)


def _parse_line(number: int, line: bytes) -> tuple[_Members, list[tuple[int, float]]]:
    try:
        parsed = json.loads(line.decode(), object_pairs_hook=tuple, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedJson(number, str(error)) from None
    if not isinstance(parsed, tuple) or sorted(name for name, _ in parsed) != ["labels", "samples"]:
        raise MalformedJson(number, 'not an object with exactly the members "labels" and "samples"')
    members = dict(parsed)
    labels, samples = members["labels"], members["samples"]
    if not isinstance(labels, tuple) or not all(isinstance(value, str) for _, value in labels):
        raise MalformedJson(number, '"labels" is not an object of strings')
    if not isinstance(samples, list):
        raise MalformedJson(number, '"samples" is not an array')
    return labels, [_parse_sample(number, sample) for sample in samples]


def _parse_sample(number: int, sample: object) -> tuple[int, float]:
    if not isinstance(sample, list) or len(sample) != 2:
        raise MalformedJson(number, f"sample {sample!r} is not [timestamp_ms, value]")
    timestamp_ms, value = sample
    if type(timestamp_ms) is not int or abs(timestamp_ms) > _TIMESTAMP_BOUND:
        raise MalformedJson(number, f"timestamp {timestamp_ms!r} is not a whole number of milliseconds")
    if isinstance(value, str) and value in _SPECIAL_VALUES:
        return timestamp_ms, _SPECIAL_VALUES[value]
    if type(value) not in {int, float}:
        raise MalformedJson(number, f'value {value!r} is not a number, "NaN", "+Inf" or "-Inf"')
    try:
        return timestamp_ms, float(value)
    except OverflowError:
        raise MalformedJson(number, "value is beyond what a double can hold") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
