"""Laws of the codecs of the series store: what goes in comes out, bit by bit, and no bytes do harm."""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alertsite.core.errors import PlatformError
from alertsite.core.labels import METRIC_NAME, Matcher, MatchOp, label_set
from alertsite.core.samples import STALE_NAN_BITS, Columns
from rules.series.backends.archive import ClosedBlock, decode_block, encode_block
from rules.series.backends.postings import Postings
from rules.series.backends.redis_hot.blocks import Block
from rules.series.backends.redis_hot.frames import encode_frames
from rules.series.encoding import decode_labels, encode_labels, parse_labels
from rules.series.errors import CorruptBlock, IngestError
from rules.series.ingest.remote_write import decode_write_request, decompress
from rules.series.limits import IngestLimits

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=200)
"""Labels may hold no NUL: PostgreSQL could not keep them."""
LABELS = st.dictionaries(TEXT.filter(bool), TEXT.filter(bool), max_size=6).map(label_set)
BITS = st.one_of(
    st.just(STALE_NAN_BITS),
    st.floats().map(lambda value: struct.unpack("<Q", struct.pack("<d", value))[0]),
    st.integers(0, 2**64 - 1),
)


@given(LABELS)
def test_labels_come_back(labels):
    assert decode_labels(encode_labels(labels)) == labels


@given(LABELS, TEXT.filter(bool), st.randoms(use_true_random=False))
def test_labels_in_any_order_are_one_series(labels, name, random):
    labels = label_set({**dict(labels), METRIC_NAME: name})
    shuffled = list(labels)
    random.shuffle(shuffled)
    sent = b"".join(encode_labels((pair,)) for pair in shuffled)
    assert parse_labels(sent) == labels
    assert encode_labels(parse_labels(sent)) == encode_labels(labels)


@given(st.binary(max_size=60))
def test_label_bytes_of_any_kind_are_read_or_refused(raw):
    try:
        labels = parse_labels(raw)
    except PlatformError:
        return
    assert dict(labels)[METRIC_NAME]


ROWS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 180_000), BITS), min_size=1, max_size=40)
WINDOW_MS = 60_000


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_frames_of_any_samples_decode_to_the_last_written(writes):
    expected: dict[tuple[int, int], int] = {}
    blocks: dict[tuple[int, int], Block] = {}
    for rows in writes:
        numbers, times, bits = zip(*rows, strict=True)
        values = np.array(bits, np.uint64).view(np.float64)
        for frame in encode_frames(np.array(numbers), np.array(times), values, window_ms=WINDOW_MS):
            assert len(frame.content) % 8 == 0
            blocks.setdefault((frame.window_ms, frame.shelf), Block()).extend(frame.content, "block")
        expected.update(((number, time), value) for number, time, value in rows)
    found = {}
    for (window, shelf), block in blocks.items():
        starts, counts, offsets, bits = block.arrays
        for column in np.flatnonzero(counts).tolist():
            own = slice(starts[column], starts[column] + counts[column])
            assert (np.diff(offsets[own]) > 0).all()
            for offset, value in zip(offsets[own].tolist(), bits[own].view(np.uint64).tolist(), strict=True):
                found[shelf * 1024 + column, window + offset] = value
    assert found == expected


def one_frame() -> bytes:
    numbers = np.array([5, 3, 3])
    [frame] = encode_frames(numbers, np.array([1, 2, 3]), np.ones(3), window_ms=WINDOW_MS)
    return frame.content


@given(st.data())
def test_damaged_frames_are_refused_or_read_within_bounds(data):
    raw = bytearray(one_frame() * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(1, len(raw)))]
    block = Block()
    try:
        block.extend(bytes(raw), "damaged")
    except CorruptBlock:
        assert block.length == 0
        assert not block.arrays.counts.any()


@st.composite
def closed_blocks(draw):
    counts = draw(st.lists(st.integers(0, 5), max_size=6))
    start_ms = draw(st.integers(-(2**40), 2**40))
    times = [
        start_ms + t
        for n in counts
        for t in sorted(draw(st.sets(st.integers(0, 9999), min_size=n, max_size=n)))
    ]
    bits = draw(st.lists(BITS, min_size=len(times), max_size=len(times)))
    columns = Columns(
        np.concatenate(([0], np.cumsum(counts, dtype=np.int64))),
        np.array(times, np.int64),
        np.array(bits, np.uint64).view(np.float64),
    )
    labels = draw(st.lists(st.binary(max_size=300), min_size=len(counts), max_size=len(counts)))
    return ClosedBlock(start_ms, start_ms + 10_000, labels, columns)


@given(closed_blocks())
def test_archived_blocks_come_back_bit_by_bit(block):
    found = decode_block(encode_block(block))
    assert (found.start_ms, found.end_ms, list(found.labels)) == (
        block.start_ms,
        block.end_ms,
        list(block.labels),
    )
    np.testing.assert_array_equal(found.columns.offsets, block.columns.offsets)
    np.testing.assert_array_equal(found.columns.timestamps_ms, block.columns.timestamps_ms)
    np.testing.assert_array_equal(found.columns.values.view(np.uint64), block.columns.values.view(np.uint64))


@given(closed_blocks(), st.data())
def test_torn_archive_blocks_are_refused(block, data):
    encoded = encode_block(block)
    with pytest.raises(CorruptBlock):
        decode_block(encoded[: data.draw(st.integers(0, len(encoded) - 1))])


SELECTABLE = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3).map(label_set)
MATCHERS = st.lists(
    st.builds(
        Matcher,
        st.sampled_from("abcd"),
        st.sampled_from(MatchOp),
        st.sampled_from(["", "x", "y", "x|y", ".*", ".+"]),
    ),
    max_size=3,
)


@given(st.lists(st.lists(SELECTABLE, max_size=60), max_size=4), st.lists(MATCHERS, max_size=4))
def test_postings_select_what_the_matchers_accept(additions, selections):
    postings = Postings()
    indexed = []
    for label_sets in additions:
        numbered = list(enumerate(label_sets, start=len(indexed)))
        postings.add(numbered)
        indexed += numbered
        for matchers in selections:
            expected = [
                number
                for number, labels in indexed
                if all(matcher.matches(dict(labels).get(matcher.name, "")) for matcher in matchers)
            ]
            assert postings.select(matchers).tolist() == expected


LIMITS = IngestLimits(max_body_bytes=1000, max_series=5, max_samples=5)
FRAGMENTS = st.sampled_from(
    [
        b"\x0a",
        b"\x12",
        b"\x22",
        b"\x09",
        b"\x10",
        b"\x01",
        b"\x02",
        b"\x7f",
        b"\x80",
        b"\xff",
        b"\x00",
        b"12345678",
    ]
)


@settings(max_examples=500)
@given(st.lists(FRAGMENTS, max_size=40).map(b"".join))
def test_any_message_is_decoded_or_refused(raw):
    try:
        batch, histograms = decode_write_request(raw, LIMITS)
    except IngestError:
        return
    assert len(batch.labels) <= 5
    assert len(batch.series) == len(batch.timestamps_ms) == len(batch.values) <= 5
    assert histograms >= 0
    assert all(0 <= position < len(batch.labels) for position in batch.series.tolist())
    assert all(a <= b for a, b in itertools.pairwise(batch.series.tolist()))


@given(st.binary(max_size=50))
def test_any_body_is_decompressed_or_refused(body):
    with suppress(IngestError):
        assert len(decompress(body, LIMITS)) <= LIMITS.max_body_bytes
