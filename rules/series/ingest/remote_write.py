"""Prometheus remote write 1.0: a snappy block of one protobuf `WriteRequest` in, samples in the store out.

The message is decoded in one pass over the buffer into arrays; labels stay slices of the body, by which the
store knows its series. A body that is not snappy, not protobuf or too large is refused whole; a series with
bad labels is refused alone, with its reason; native histograms are refused and counted, float samples beside
them are kept.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cramjam
import numba as nb
import numpy as np

from alertsite.core.samples import Ints
from rules.series.encoded import EncodedBatch, EncodedWriter
from rules.series.errors import (
    BodyTooLarge,
    MalformedProtobuf,
    TooManySamples,
    TooManySeries,
    WrongSnappyLength,
)
from rules.series.ingest.write_metadata import read_descriptions
from rules.series.limits import IngestLimits
from rules.series.metadata import MAX_METRICS, MetadataStore
from rules.series.protocols import WriteReceipt

_DEFAULT_LIMITS: Final = IngestLimits()

_SERIES, _SAMPLES, _HISTOGRAMS = 0, 1, 2
_FULL_OF_SERIES, _FULL_OF_SAMPLES, _WELL = -3, -2, -1


class _Decoded(NamedTuple):
    """Where the kernel writes: `totals` counts series, samples and histograms, the others have room."""

    totals: Ints
    label_starts: Ints
    label_ends: Ints
    series: Ints
    timestamps_ms: Ints
    bits: Ints


def ingest_remote_write(
    body: bytes,
    store: EncodedWriter,
    *,
    now_ms: int,
    limits: IngestLimits = _DEFAULT_LIMITS,
    metadata: MetadataStore | None = None,
) -> WriteReceipt:
    """Store the samples of one request body, and the descriptions of metrics that it has.

    Raises
    ------
    IngestError
        If the body is refused whole; nothing of it was stored.
    """
    raw = decompress(body, limits)
    batch, histograms = decode_write_request(raw, limits)
    receipt = store.append_encoded(batch, now_ms=now_ms).also_refused({"native_histogram": histograms})
    if metadata is not None:
        spans = metadata_spans(raw)
        if spans:
            metadata.note(read_descriptions(raw, spans), now_ms=now_ms)
    return receipt


def metadata_spans(raw: bytes) -> list[tuple[int, int]]:
    """Start and end of each description of a metric in a well-formed request, up to `MAX_METRICS`."""
    places = np.empty((min(len(raw) // 2, MAX_METRICS), 2), np.int64)
    count = _find_metadata(np.frombuffer(raw, np.uint8), places)
    return [(start, end) for start, end in places[:count].tolist()]


def decompress(body: bytes, limits: IngestLimits = _DEFAULT_LIMITS) -> bytes:
    """The content of a snappy block, which must have the length that it declares.

    Raises
    ------
    BodyTooLarge
        If it declares more than `limits.max_body_bytes`; no memory was taken.
    WrongSnappyLength
        If it is not such a block.
    """
    try:
        declared = cramjam.snappy.decompress_raw_len(body)
        if declared > limits.max_body_bytes:
            raise BodyTooLarge(declared, limits.max_body_bytes)
        content = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise WrongSnappyLength(f"body of {len(body)} bytes is not a snappy block: {error}") from None
    return content


def decode_write_request(raw: bytes, limits: IngestLimits = _DEFAULT_LIMITS) -> tuple[EncodedBatch, int]:
    """The float samples of a `WriteRequest`, and how many native histograms it has.

    Raises
    ------
    MalformedProtobuf, TooManySeries, TooManySamples
        Nothing of such a request is taken.
    """
    # A message has at least two bytes, so there is room; pages that are not written to are never taken.
    series_room = min(len(raw) // 2, limits.max_series)
    sample_room = min(len(raw) // 2, limits.max_samples)
    decoded = _Decoded(
        np.zeros(3, np.int64),
        *(np.empty(series_room, np.int64) for _ in range(2)),
        *(np.empty(sample_room, np.int64) for _ in range(3)),
    )
    fault = _decode(np.frombuffer(raw, np.uint8), decoded)
    if fault == _FULL_OF_SERIES:
        raise TooManySeries(limits.max_series)
    if fault == _FULL_OF_SAMPLES:
        raise TooManySamples(limits.max_samples)
    if fault != _WELL:
        raise MalformedProtobuf("no valid field", int(fault))
    series, samples, histograms = decoded.totals.tolist()
    starts, ends = decoded.label_starts[:series].tolist(), decoded.label_ends[:series].tolist()
    labels = [raw[start:end] for start, end in zip(starts, ends, strict=True)]
    values = decoded.bits[:samples].view(np.float64)
    return EncodedBatch(labels, decoded.series[:samples], decoded.timestamps_ms[:samples], values), histograms


_RAW = nb.types.Array(nb.uint8, 1, "C", readonly=True)
_DECODED = nb.types.NamedUniTuple(nb.int64[::1], 6, _Decoded)


@nb.njit(cache=True)
def _varint(raw, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """The number written at `at` and where it ends, -1 if it does not end."""
    value = np.uint64(0)
    shift = np.uint64(0)
    while at < end and shift < 70:
        byte = np.uint64(raw[at])
        at += 1
        value |= (byte & np.uint64(0x7F)) << shift
        if byte < 0x80:
            return np.int64(value), at
        shift += np.uint64(7)
    return np.int64(0), -1


@nb.njit(cache=True)
def _field(raw, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Tag, start and end of the content of the field at `at`; end -1 if there is none."""
    tag, at = _varint(raw, at, end)
    if at < 0 or tag < 8:
        return tag, at, -1
    kind = tag & 7
    start = at
    if kind == 0:
        _, at = _varint(raw, at, end)
        return tag, start, at
    if kind == 2:
        size, start = _varint(raw, at, end)
        if start < 0 or size < 0 or size > end - start:
            return tag, start, -1
        return tag, start, start + size
    at += 8 if kind == 1 else 4
    if kind in (3, 4, 6, 7) or at > end:  # groups are long gone, 6 and 7 never were
        return tag, start, -1
    return tag, start, at


@nb.njit(cache=True)
def _decode_sample(raw, at, end, decoded):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Append one `Sample` of the series that is being read."""
    row = decoded.totals[_SAMPLES]
    if row == len(decoded.series):
        return _FULL_OF_SAMPLES
    decoded.series[row] = decoded.totals[_SERIES]
    decoded.timestamps_ms[row] = 0
    decoded.bits[row] = 0
    while at < end:
        tag, start, stop = _field(raw, at, end)
        if stop < 0:
            return at
        if tag == 0x09:
            decoded.bits[row] = raw[start:stop].view(np.int64)[0]
        elif tag == 0x10:
            decoded.timestamps_ms[row] = _varint(raw, start, stop)[0]
        at = stop
    decoded.totals[_SAMPLES] = row + 1
    return _WELL


@nb.njit(cache=True)
def _decode_series(raw, at, end, decoded):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Append one `TimeSeries`. Its labels are what lies between the first and the last label field."""
    row = decoded.totals[_SERIES]
    if row == len(decoded.label_starts):
        return _FULL_OF_SERIES
    first_label, last_label = -1, -1
    while at < end:
        tag, start, stop = _field(raw, at, end)
        if stop < 0:
            return at
        if tag == 0x0A:
            if first_label < 0:
                first_label = at
            last_label = stop
        elif tag == 0x12:
            fault = _decode_sample(raw, start, stop, decoded)
            if fault != _WELL:
                return fault
        elif tag == 0x22:
            decoded.totals[_HISTOGRAMS] += 1
        at = stop
    decoded.label_starts[row] = max(first_label, 0)
    decoded.label_ends[row] = max(last_label, 0)
    decoded.totals[_SERIES] = row + 1
    return _WELL


@nb.njit(nb.int64(_RAW, _DECODED), cache=True)
def _decode(raw, decoded):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Read a `WriteRequest`. -1, or the position of the fault, or which array is full."""
    at = 0
    while at < len(raw):
        tag, start, stop = _field(raw, at, len(raw))
        if stop < 0:
            return at
        if tag == 0x0A:
            fault = _decode_series(raw, start, stop, decoded)
            if fault != _WELL:
                return fault
        at = stop
    return _WELL


@nb.njit(nb.int64(_RAW, nb.int64[:, ::1]), cache=True)
def _find_metadata(raw, places):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Note where the `MetricMetadata` fields of a `WriteRequest` lie; how many there are, or fit."""
    at, count = 0, 0
    while at < len(raw) and count < len(places):
        tag, start, stop = _field(raw, at, len(raw))
        if stop < 0:
            return count
        if tag == 0x1A:
            places[count, 0] = start
            places[count, 1] = stop
            count += 1
        at = stop
    return count
