"""Descriptions of metrics inside a remote write 1.0 request. In: where they lie. Out: `Description`s.

Prometheus sends them each minute, in requests of their own; others send them beside samples. What does not
read like a description is passed over: it is no reason to refuse samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.series.metadata import TYPES, Description

_TEXTS = {2: "metric", 4: "help", 5: "unit"}


def read_descriptions(raw: bytes, spans: Iterable[tuple[int, int]]) -> Iterator[Description]:
    """The `MetricMetadata` messages that lie at these places of a request."""
    for start, end in spans:
        try:
            yield _description(raw, start, end)
        except (IndexError, UnicodeDecodeError):
            continue


def _description(raw: bytes, at: int, end: int) -> Description:
    kind, texts = 0, {"metric": "", "help": "", "unit": ""}
    while at < end:
        tag, at = _varint(raw, at)
        size, at = _varint(raw, at)
        if tag == 0x08:
            kind = size
        elif tag & 7 == 2:
            if at + size > end:
                raise IndexError(f"field of {size} bytes at {at} passes {end}")
            if tag >> 3 in _TEXTS:
                texts[_TEXTS[tag >> 3]] = raw[at : at + size].decode()
            at += size
        elif tag & 7 != 0:
            raise IndexError(f"field of wire type {tag & 7} at {at}")
    return Description(type=TYPES[kind] if kind < len(TYPES) else "unknown", **texts)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
