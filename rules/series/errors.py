"""What the series store and its ingesters refuse, each with its code."""

from __future__ import annotations

from alertsite.core.errors import PlatformError


class IngestError(PlatformError):
    """A request body that is refused as a whole: nothing of it was stored."""

    code = "ingest.refused"


class WrongSnappyLength(IngestError):
    """The body is not one snappy block of the length that it declares."""

    code = "ingest.snappy_length"


class MalformedProtobuf(IngestError):
    """The decompressed body is not a remote-write 1.0 `WriteRequest`."""

    code = "ingest.malformed_protobuf"

    def __init__(self, what: str, position: int) -> None:
        super().__init__(f"protobuf: {what} at byte {position}")


class MalformedBody(IngestError):
    """The body is not what its headers say."""

    code = "ingest.malformed_body"


class MalformedJson(IngestError):
    """A line is not a JSON object of the documented form."""

    code = "ingest.malformed_json"

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")


class BodyTooLarge(IngestError):
    """The body would decompress to more bytes than one request may carry."""

    code = "ingest.body_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"body has {size} bytes, limit is {limit}")


class TooManySeries(IngestError):
    """The request names more series than one request may carry."""

    code = "ingest.too_many_series"

    def __init__(self, limit: int) -> None:
        super().__init__(f"request has more than {limit} series, which is the limit")


class TooManySamples(IngestError):
    """The request has more samples than one request may carry."""

    code = "ingest.too_many_samples"

    def __init__(self, limit: int) -> None:
        super().__init__(f"request has more than {limit} samples, which is the limit")


class RefusedLabels(PlatformError):
    """One series whose labels cannot be stored; its neighbours can."""

    code = "labels.refused"

    def __init__(self, reason: str, what: str) -> None:
        super().__init__(what)
        self.reason = reason


class CorruptBlock(PlatformError):
    """Stored bytes that do not read as a block of samples."""

    code = "series.corrupt_block"

    def __init__(self, name: str, position: int) -> None:
        super().__init__(f"block {name}: no frame begins at byte {position}")


class SeriesRenumbered(PlatformError):
    """The hot store was emptied since the numbers were selected: select again."""

    code = "series.renumbered"
    retryable = True

    def __init__(self) -> None:
        super().__init__("the hot store was emptied and numbers series anew; select again")


class StoreContended(PlatformError):
    """Other writers were first each time. Nothing was stored; the same request may be sent again."""

    code = "series.contended"
    retryable = True

    def __init__(self, attempts: int) -> None:
        super().__init__(f"other writers changed the series index during each of {attempts} attempts")
