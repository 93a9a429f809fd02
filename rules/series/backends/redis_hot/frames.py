"""Frames: how samples of one shelf and one window lie in a Redis string.

A shelf holds 1,024 series numbers; a window is a span of time. Each write appends one frame to the string of
its shelf and window. Every part is aligned to its size, little-endian, and a frame is a multiple of 8 bytes:

    u16 magic, u16 flags, u32 count, u32 time offset, u16 first column, u16 zero
    count x f64  values
    count x u32  time offsets from the window's start, absent when all equal (SAME_TIME: the header's)
    count x u16  columns, absent when they count up by one (DENSE: from the header's)
    zeros, u32 CRC-32 of all before

So a scrape of new series costs 8 bytes a sample and the worst mix 14. The checksum is a frame's identity: a
reader that finds another one where it stopped knows that Redis went back in time (a failover, a torn log) and
reads the block anew. Samples go in as arrays and come out in `blocks`; bytes that are not a run of whole
frames are refused there.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from alertsite.core.samples import Floats, Ints

SHELF_BITS: Final = 10
SHELF_SIZE: Final = 1 << SHELF_BITS

MAGIC: Final = 0x5AE1
SAME_TIME: Final = 1
DENSE: Final = 2
HEADER_BYTES: Final = 16
TRAILER_BYTES: Final = 4

_HEADER = struct.Struct("<HHIIHH")


@dataclass(frozen=True, slots=True)
class Frame:
    """One request's samples of one block."""

    window_ms: int
    """Start of the window."""
    shelf: int
    content: bytes


def encode_frames(numbers: Ints, timestamps_ms: Ints, values: Floats, *, window_ms: int) -> list[Frame]:
    """A frame for each block that these samples touch; arrays of shape (m,), m > 0.

    Samples keep their order within a block: of two at one time the later one is the one that counts.
    """
    order, blocks = _in_block_order(numbers >> SHELF_BITS, timestamps_ms // window_ms)
    numbers, timestamps_ms, values = numbers[order], timestamps_ms[order], values[order]
    bounds = np.concatenate(([0], np.flatnonzero(np.diff(blocks)) + 1, [len(blocks)]))
    time_steps = np.cumsum(np.diff(timestamps_ms, prepend=timestamps_ms[0]) != 0)
    column_steps = np.cumsum(np.diff(numbers, prepend=numbers[0] - 1) != 1)
    last = bounds[1:] - 1
    flags = SAME_TIME * (time_steps[last] == time_steps[bounds[:-1]])
    flags |= DENSE * (column_steps[last] == column_steps[bounds[:-1]])
    columns = (numbers & (SHELF_SIZE - 1)).astype(np.uint16)
    offsets = (timestamps_ms % window_ms).astype(np.uint32)
    frames = []
    for start, end, flag in zip(bounds[:-1].tolist(), bounds[1:].tolist(), flags.tolist(), strict=True):
        parts = [
            _HEADER.pack(MAGIC, flag, end - start, offsets[start], columns[start], 0),
            values[start:end].tobytes(),
            b"" if flag & SAME_TIME else offsets[start:end].tobytes(),
            b"" if flag & DENSE else columns[start:end].tobytes(),
        ]
        window_start_ms = int(timestamps_ms[start]) // window_ms * window_ms
        frames.append(Frame(window_start_ms, int(numbers[start]) >> SHELF_BITS, _sealed(b"".join(parts))))
    return frames


def _sealed(content: bytes) -> bytes:
    """Padded to a multiple of 8 bytes with the trailer."""
    padded = content + bytes(-(len(content) + TRAILER_BYTES) % 8)
    return padded + zlib.crc32(padded).to_bytes(TRAILER_BYTES, "little")


def _in_block_order(shelves: Ints, windows: Ints) -> tuple[Ints | slice, Ints]:
    """An index that brings samples of one block together, and each sample's block under that index."""
    blocks = (windows - windows.min()) * (int(shelves.max()) + 1) + shelves
    if (np.diff(blocks) >= 0).all():
        return slice(None), blocks
    order = np.argsort(blocks, kind="stable")
    return order, blocks[order]
