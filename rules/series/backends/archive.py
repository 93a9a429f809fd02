"""Closed windows as bytes: what the archive keeps.

`encode_block` packs the samples of a span of time with the labels of their series, so that a block can be
read when the hot store that numbered them is gone. Labels and samples are compressed apart: selecting reads
labels alone. Timestamps are differences, values are differences of bits, both split into byte planes, which
zstd packs well. Bytes of another kind, torn or of an unknown version, are refused as `CorruptBlock`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import zstandard

from alertsite.core.samples import Columns
from rules.series.errors import CorruptBlock

_MAGIC: Final = b"ASB1"
_HEADER = struct.Struct("<4sqqIQQQ")  # magic, start, end, series, samples, bytes of labels, of samples
_LEVEL: Final = 3

_Number = TypeVar("_Number", np.uint32, np.int64, np.uint64)


@dataclass(frozen=True, slots=True)
class ClosedBlock:
    """Samples with `start_ms <= timestamp < end_ms` that no longer change; label sets as canonical bytes."""

    start_ms: int
    end_ms: int
    labels: Sequence[bytes]
    columns: Columns


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What the header of an encoded block says."""

    start_ms: int
    end_ms: int
    series: int
    samples: int
    labels_at: slice
    samples_at: slice


def encode_block(block: ClosedBlock) -> bytes:
    """The block as bytes; `decode_block` gives it back, bit by bit."""
    lengths = np.fromiter(map(len, block.labels), np.uint32, len(block.labels))
    labels = zstandard.compress(_planes(lengths) + b"".join(block.labels), _LEVEL)
    counts = np.diff(block.columns.offsets).astype(np.uint32)
    times = (block.columns.timestamps_ms - block.start_ms).astype(np.int64)
    bits = block.columns.values.view(np.uint64)
    steps = np.diff(times, prepend=np.int64(0))
    changes = bits ^ np.concatenate((np.zeros(1, np.uint64), bits))[: len(bits)]
    samples = zstandard.compress(_planes(counts) + _planes(steps) + _planes(changes), _LEVEL)
    header = _HEADER.pack(
        _MAGIC, block.start_ms, block.end_ms, len(block.labels), len(times), len(labels), len(samples)
    )
    return header + labels + samples


def read_head(encoded: bytes) -> BlockHead:
    """What the block holds, without decompressing it.

    Raises
    ------
    CorruptBlock
        If the bytes are not an encoded block, or not all of it.
    """
    if len(encoded) < _HEADER.size or not encoded.startswith(_MAGIC):
        raise CorruptBlock("of the archive", 0)
    _, start_ms, end_ms, series, samples, label_bytes, sample_bytes = _HEADER.unpack_from(encoded)
    labels_end = _HEADER.size + label_bytes
    if len(encoded) != labels_end + sample_bytes:
        raise CorruptBlock("of the archive", len(encoded))
    return BlockHead(
        start_ms, end_ms, series, samples, slice(_HEADER.size, labels_end), slice(labels_end, len(encoded))
    )


def decode_block(encoded: bytes) -> ClosedBlock:
    """The block that `encode_block` was given.

    Raises
    ------
    CorruptBlock
        If the bytes are not an encoded block, or not all of it.
    """
    head = read_head(encoded)
    return ClosedBlock(
        head.start_ms, head.end_ms, decode_block_labels(encoded), decode_block_columns(encoded)
    )


def decode_block_labels(encoded: bytes) -> list[bytes]:
    """The canonical label bytes of a block's series."""
    head = read_head(encoded)
    raw = _decompressed(encoded[head.labels_at], 4 * head.series)
    ends = 4 * head.series + np.cumsum(_from_planes(raw, 0, head.series, np.uint32), dtype=np.int64)
    starts = np.concatenate(([4 * head.series], ends))
    return [raw[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=False)]


def decode_block_columns(encoded: bytes) -> Columns:
    """The samples of a block's series, in the order of its labels."""
    head = read_head(encoded)
    raw = _decompressed(encoded[head.samples_at], 4 * head.series + 16 * head.samples)
    counts = _from_planes(raw, 0, head.series, np.uint32)
    steps = _from_planes(raw, 4 * head.series, head.samples, np.int64)
    changes = _from_planes(raw, 4 * head.series + 8 * head.samples, head.samples, np.uint64)
    offsets = np.zeros(head.series + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    bits = np.bitwise_xor.accumulate(changes)
    return Columns(offsets, np.cumsum(steps) + head.start_ms, bits.view(np.float64))


def _planes(array: npt.NDArray[Any]) -> bytes:
    """First bytes of all elements, then second bytes, and so on."""
    return array.view(np.uint8).reshape(len(array), array.itemsize).T.tobytes()


def _from_planes(raw: bytes, start: int, count: int, kind: type[_Number]) -> npt.NDArray[_Number]:
    width = np.dtype(kind).itemsize
    planes = np.frombuffer(raw, np.uint8, count * width, start).reshape(width, count)
    return np.ascontiguousarray(planes.T).reshape(-1).view(kind)


def _decompressed(packed: bytes, at_least: int) -> bytes:
    try:
        raw = zstandard.decompress(packed)
    except zstandard.ZstdError:
        raise CorruptBlock("of the archive", 0) from None
    if len(raw) < at_least:
        raise CorruptBlock("of the archive", len(raw))
    return raw
