"""Label sets as bytes: the label fields of a remote-write `TimeSeries`, so that what arrives is the key.

A label set in canonical order encodes to exactly the bytes that Prometheus sends, hence ingestion looks
series up by a slice of the request. What comes in unsorted or with empty values is brought to canonical
order; what is not UTF-8, holds a NUL, which PostgreSQL cannot keep, names a label twice, has an empty
label name or no metric name is refused.
"""

from __future__ import annotations

from functools import lru_cache

from alertsite.core.labels import METRIC_NAME, LabelSet, label_set
from rules.series.errors import MalformedProtobuf, RefusedLabels

_FIELD_1 = 0x0A  # field number 1, length-delimited
_FIELD_2 = 0x12


def encode_labels(labels: LabelSet) -> bytes:
    """The canonical bytes of a label set.

    Raises
    ------
    RefusedLabels
        If a name or value holds a lone surrogate, which UTF-8 cannot express.
    """
    try:
        return b"".join(map(_encode_pair, labels))
    except UnicodeEncodeError:
        raise RefusedLabels("labels_not_utf8", f"labels {labels!r} cannot be written as UTF-8") from None


def decode_labels(raw: bytes, pairs: dict[bytes, tuple[str, str]] | None = None) -> LabelSet:
    """The label set of canonical bytes, as `encode_labels` wrote them.

    `pairs` is a cache that the caller keeps, so that equal pairs of many series share one object.
    """
    known: dict[bytes, tuple[str, str]] = {} if pairs is None else pairs
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(raw):
        start, position = _extent(raw, position + 1)
        body = raw[start:position]
        pair = known.get(body)
        if pair is None:
            name, value = _label_fields(body)
            pair = known.setdefault(body, (name.decode(), value.decode()))
        found.append(pair)
    return tuple(found)


def parse_labels(raw: bytes) -> LabelSet:
    """The canonical label set of whatever a client sent as the label fields of a `TimeSeries`.

    Raises
    ------
    RefusedLabels
        With reason `labels_not_utf8`, or one of `check_labels`.
    MalformedProtobuf
        If the bytes are not a run of `Label` messages; other fields of a `TimeSeries` are passed over.
    """
    pairs = []
    try:
        for field, body in _fields(raw):
            if field == _FIELD_1:
                name, value = _label_fields(body)
                pairs.append((name.decode(), value.decode()))
    except UnicodeDecodeError:
        raise RefusedLabels("labels_not_utf8", f"labels {raw[:200]!r} are not UTF-8") from None
    return check_labels(pairs)


def check_labels(pairs: list[tuple[str, str]]) -> LabelSet:
    """The canonical label set of what a client sent. As in Prometheus 3, any UTF-8 name will do.

    Raises
    ------
    RefusedLabels
        With reason `duplicate_label`, `invalid_label_name`, `nul_in_label` or `missing_metric_name`.
    """
    names = [name for name, _ in pairs]
    if "" in names:
        raise RefusedLabels("invalid_label_name", f"labels {pairs!r} have an empty name")
    if len(set(names)) != len(names):
        raise RefusedLabels("duplicate_label", f"labels {pairs!r} have a name twice")
    if any("\x00" in text for pair in pairs for text in pair):
        raise RefusedLabels("nul_in_label", f"labels {pairs!r} hold a NUL")
    labels = label_set(pairs)
    if not any(name == METRIC_NAME for name, _ in labels):
        raise RefusedLabels("missing_metric_name", f"labels {pairs!r} have no {METRIC_NAME}")
    return labels


@lru_cache(maxsize=1 << 16)  # rules write the same labels tick after tick
def _encode_pair(pair: tuple[str, str]) -> bytes:
    name, value = pair
    body = length_delimited(_FIELD_1, name.encode()) + length_delimited(_FIELD_2, value.encode())
    return length_delimited(_FIELD_1, body)


def length_delimited(tag: int, body: bytes) -> bytes:
    """One length-delimited protobuf field; `tag` is its first byte, of a field number below 16."""
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    head = bytearray((tag,))
    while size >= 0x80:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + body


def _label_fields(body: bytes) -> tuple[bytes, bytes]:
    name = value = b""
    for field, content in _fields(body):
        if field == _FIELD_1:
            name = content
        elif field == _FIELD_2:
            value = content
    return name, value


def _fields(raw: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents of the length-delimited fields of a message."""
    found = []
    position = 0
    while position < len(raw):
        tag = raw[position]
        if tag & 0x07 != 2 or tag >= 0x80:
            raise MalformedProtobuf(f"field tag {tag} where a label was expected", position)
        start, position = _extent(raw, position + 1)
        found.append((tag, raw[start:position]))
    return found


def _extent(raw: bytes, position: int) -> tuple[int, int]:
    """Where the content whose length is written at `position` starts and ends."""
    size = shift = 0
    for at in range(position, min(position + 5, len(raw))):
        size |= (raw[at] & 0x7F) << shift
        if raw[at] < 0x80:
            end = at + 1 + size
            if end > len(raw):
                break
            return at + 1, end
        shift += 7
    raise MalformedProtobuf("length runs past the end", position)
