"""The body of an OTLP metrics export in, its message out: protobuf or JSON, plain or gzip.

A body that does not read, or is larger than its limit once unpacked, is refused whole.
"""

from __future__ import annotations

import zlib
from typing import Final

from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from rules.series.encoding import length_delimited
from rules.series.errors import BodyTooLarge, MalformedBody
from rules.series.limits import IngestLimits
from rules.series.protocols import WriteReceipt

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_GZIP: Final = 16 + zlib.MAX_WBITS
_STATUS_MESSAGE: Final = 0x12  # field 2 of google.rpc.Status, length-delimited


def unpack_gzip(body: bytes, limits: IngestLimits) -> bytes:
    """The content of one gzip member.

    Raises
    ------
    BodyTooLarge
        If it has more than `limits.max_body_bytes`; no more memory than that was taken.
    MalformedBody
        If it is not such a member, whole and alone.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(body, limits.max_body_bytes + 1)
    except zlib.error as error:
        raise MalformedBody(f"body of {len(body)} bytes is not gzip: {error}") from None
    if len(content) > limits.max_body_bytes:
        raise BodyTooLarge(len(content), limits.max_body_bytes)
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedBody(f"body of {len(body)} bytes is not one whole gzip member")
    return content


def decode_export(body: bytes, kind: str, limits: IngestLimits) -> ExportMetricsServiceRequest:
    """The request in a body of the media type `kind`, `PROTOBUF` or `JSON`.

    Raises
    ------
    BodyTooLarge, MalformedBody
        Nothing of such a request is taken.
    """
    if len(body) > limits.max_body_bytes:
        raise BodyTooLarge(len(body), limits.max_body_bytes)
    request = ExportMetricsServiceRequest()
    try:
        if kind == JSON:
            # The ids of exemplars are hex here, where protobuf's own JSON has base64: hex reads as that, and
            # exemplars are not kept.
            Parse(body.decode(), request, ignore_unknown_fields=True)
        else:
            request.ParseFromString(body)
    except (ParseError, UnicodeDecodeError, DecodeError) as error:
        raise MalformedBody(f"body of {len(body)} bytes is not an export of metrics: {error}") from None
    return request


def export_response(receipt: WriteReceipt, kind: str) -> bytes:
    """What OTLP answers to an export that was read: nothing, or how many points were rejected and why.

    A point of a histogram or summary counts once for each series that it makes here.
    """
    if not receipt.refused:
        return encode_message(ExportMetricsServiceResponse(), kind)
    rejected = ExportMetricsPartialSuccess(
        rejected_data_points=sum(receipt.refused.values()), error_message=receipt.summary()
    )
    return encode_message(ExportMetricsServiceResponse(partial_success=rejected), kind)


def encode_message(message: Message, kind: str) -> bytes:
    """A message in the media type `kind`."""
    return MessageToJson(message).encode() if kind == JSON else message.SerializeToString()


def failure_response(detail: str) -> bytes:
    """The `google.rpc.Status` with which OTLP wants a refusal to be answered, in protobuf."""
    return length_delimited(_STATUS_MESSAGE, detail.encode())
