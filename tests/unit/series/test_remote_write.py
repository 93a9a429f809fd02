"""Remote write 1.0: what is decoded from a request body, and what is refused with which code."""

from __future__ import annotations

import struct

import cramjam
import numpy as np
import pytest

from alertsite.core.labels import Matcher, MatchOp
from alertsite.core.samples import STALE_NAN_BITS
from rules.series.backends.memory import MemorySeries
from rules.series.errors import (
    BodyTooLarge,
    MalformedProtobuf,
    TooManySamples,
    TooManySeries,
    WrongSnappyLength,
)
from rules.series.ingest.remote_write import decode_write_request, ingest_remote_write
from rules.series.limits import IngestLimits

NOW_MS = 1_700_000_000_000


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def label(name: str | bytes, value: str | bytes) -> bytes:
    parts = [part.encode() if isinstance(part, str) else part for part in (name, value)]
    return field(1, field(1, parts[0]) + field(2, parts[1]))


def sample(timestamp_ms: int, value: float | int) -> bytes:
    bits = value if isinstance(value, int) else struct.unpack("<Q", struct.pack("<d", value))[0]
    return field(2, b"\x09" + struct.pack("<Q", bits) + field(2, timestamp_ms))


def series(*fields: bytes) -> bytes:
    return field(1, b"".join(fields))


def snappy(raw: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(raw))


UP = label("__name__", "up")
HISTOGRAM = field(4, field(3, b"\x00" * 8))
GOOD = series(UP, sample(NOW_MS, 1.0))


def stored(store: MemorySeries, name: str) -> list[tuple[int, int]]:
    numbers = store.select([Matcher("__name__", MatchOp.EQUAL, name)])
    columns = store.read(numbers, 0, 2 * NOW_MS)
    bits = columns.values.view(np.uint64).tolist()
    return list(zip(columns.timestamps_ms.tolist(), bits, strict=True))


def bits_of(value: float) -> int:
    return struct.unpack("<Q", struct.pack("<d", value))[0]


@pytest.mark.parametrize(
    ("raw", "accepted", "refused", "expected"),
    [
        pytest.param(GOOD, 1, {}, [(NOW_MS, bits_of(1.0))], id="one sample"),
        pytest.param(b"", 0, {}, [], id="empty request"),
        pytest.param(
            series(UP, sample(NOW_MS, STALE_NAN_BITS), sample(NOW_MS - 1, 0x7FF8_0000_0000_0001)),
            2,
            {},
            [(NOW_MS - 1, 0x7FF8_0000_0000_0001), (NOW_MS, STALE_NAN_BITS)],
            id="stale marker and NaN keep their bits",
        ),
        pytest.param(
            series(label("zone", "1"), UP, sample(NOW_MS, 1.0))
            + series(UP, label("zone", "1"), sample(NOW_MS - 1, 2.0)),
            2,
            {},
            [(NOW_MS - 1, bits_of(2.0)), (NOW_MS, bits_of(1.0))],
            id="unsorted labels are the same series",
        ),
        pytest.param(
            series(UP, sample(NOW_MS, 1.0), label("zone", "1"), sample(NOW_MS - 1, 2.0)),
            2,
            {},
            [(NOW_MS - 1, bits_of(2.0)), (NOW_MS, bits_of(1.0))],
            id="labels and samples interleaved",
        ),
        pytest.param(
            field(3, b"metadata") + series(UP, sample(NOW_MS, 1.0), field(3, b"exemplar")) + field(9, 7),
            1,
            {},
            [(NOW_MS, bits_of(1.0))],
            id="metadata, exemplars and unknown fields are passed over",
        ),
        pytest.param(
            series(UP, field(2, field(2, NOW_MS))),
            1,
            {},
            [(NOW_MS, 0)],
            id="a zero value is not written by proto3",
        ),
        pytest.param(
            GOOD + series(label("__name__", "h"), HISTOGRAM, HISTOGRAM, sample(NOW_MS, 2.0)),
            2,
            {"native_histogram": 2},
            [(NOW_MS, bits_of(1.0))],
            id="native histograms are counted, floats beside them kept",
        ),
        pytest.param(
            GOOD
            + series(label("job", "x"), sample(NOW_MS, 1.0))
            + series(UP, UP, sample(NOW_MS, 1.0), sample(NOW_MS, 2.0))
            + series(UP, label("job", b"\xff"), sample(NOW_MS, 1.0))
            + series(UP, label("", "x"), sample(NOW_MS, 1.0))
            + series(UP, label("job", "x\0"), sample(NOW_MS, 1.0))
            + series(UP, sample(-5, 1.0))
            + series(UP, sample(NOW_MS + 3_600_000, 1.0)),
            1,
            {
                "missing_metric_name": 1,
                "duplicate_label": 2,
                "labels_not_utf8": 1,
                "invalid_label_name": 1,
                "nul_in_label": 1,
                "too_old": 1,
                "too_far_in_future": 1,
            },
            [(NOW_MS, bits_of(1.0))],
            id="bad series are refused, their neighbour is stored",
        ),
    ],
)
def test_ingest(raw, accepted, refused, expected):
    store = MemorySeries()
    receipt = ingest_remote_write(snappy(raw), store, now_ms=NOW_MS)
    assert (receipt.accepted, dict(receipt.refused)) == (accepted, refused)
    assert stored(store, "up") == expected


LIMITS = IngestLimits(max_body_bytes=10_000, max_series=2, max_samples=3)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b"", WrongSnappyLength, id="no body"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff", WrongSnappyLength, id="not snappy"),
        pytest.param(varint(len(GOOD) + 1) + snappy(GOOD)[1:], WrongSnappyLength, id="declares too much"),
        pytest.param(varint(len(GOOD) - 1) + snappy(GOOD)[1:], WrongSnappyLength, id="declares too little"),
        pytest.param(snappy(GOOD)[:-3], WrongSnappyLength, id="cut short"),
        pytest.param(snappy(bytes(10_001)), BodyTooLarge, id="bomb"),
        pytest.param(varint(4_000_000_000) + b"\x00", BodyTooLarge, id="declares a bomb"),
        pytest.param(snappy(GOOD[:-1]), MalformedProtobuf, id="message cut short"),
        pytest.param(
            snappy(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), MalformedProtobuf, id="negative length"
        ),
        pytest.param(snappy(b"\x0a" + b"\xff" * 11), MalformedProtobuf, id="length without end"),
        pytest.param(snappy(b"\x0b"), MalformedProtobuf, id="group"),
        pytest.param(snappy(b"\x00\x00"), MalformedProtobuf, id="field number zero"),
        pytest.param(snappy(series(UP, field(2, b"\x09\x00"))), MalformedProtobuf, id="value cut short"),
        pytest.param(
            snappy(GOOD + series(field(1, b"\x0a\x7f"), sample(NOW_MS, 1))), MalformedProtobuf, id="bad label"
        ),
        pytest.param(snappy(GOOD * 3), TooManySeries, id="too many series"),
        pytest.param(snappy(series(UP, *[sample(NOW_MS, 1.0)] * 4)), TooManySamples, id="too many samples"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_whole(body, error):
    store = MemorySeries()
    with pytest.raises(error):
        ingest_remote_write(body, store, now_ms=NOW_MS, limits=LIMITS)
    assert len(store.select([])) == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_series_up_to_the_limit_are_taken(count):
    batch, _ = decode_write_request(GOOD * count, LIMITS)
    assert len(batch.labels) == count


def test_the_receipt_says_what_was_refused_and_why():
    receipt = ingest_remote_write(snappy(GOOD + series(UP, sample(0, 1.0))), MemorySeries(), now_ms=NOW_MS)
    assert receipt.summary() == "accepted 1 samples, refused 1: too_old 1"
