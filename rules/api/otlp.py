"""Where OpenTelemetry's exporters and collectors send metrics: OTLP over HTTP.

What was read answers 200, with how many points were rejected if any were; a body that cannot be read answers
400 with a `google.rpc.Status`. Senders retry 429, 502, 503 and 504 alone.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from alertsite.web.credentials import INGEST, Grant
from alertsite.web.plain import for_tenant
from alertsite.web.problems import status_of
from rules.series.errors import IngestError
from rules.series.ingest.otlp import ingest_otlp
from rules.series.ingest.otlp_body import (
    JSON,
    PROTOBUF,
    decode_export,
    export_response,
    failure_response,
    unpack_gzip,
)
from rules.series.ingest.otlp_metadata import described_by
from rules.series.limits import IngestLimits
from rules.services.stores import delta_totals, hot_store, metric_metadata


def _as_json(error: PlatformError) -> HttpResponse:
    return _failure(error.detail, status_of(error), JSON)


def _failure(detail: str, status: int, kind: str) -> HttpResponse:
    if kind == JSON:
        return JsonResponse({"message": detail}, status=status)
    return HttpResponse(failure_response(detail), status=status, content_type=PROTOBUF)


@require_POST
@for_tenant(INGEST, _as_json)
def export_metrics(request: HttpRequest, grant: Grant) -> HttpResponse:
    """One export of metrics: protobuf or JSON, plain or gzip; the answer is of the same kind."""
    kind = request.content_type or ""
    if kind not in {PROTOBUF, JSON}:
        return _failure(f"Content-Type is {kind!r}, accepts {PROTOBUF} and {JSON}", 415, JSON)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding not in {"gzip", "identity"}:
        return _failure(f"Content-Encoding is {encoding!r}, accepts gzip and identity", 415, kind)
    limits = IngestLimits()
    try:
        body = unpack_gzip(request.body, limits) if encoding == "gzip" else request.body
        export = decode_export(body, kind, limits)
        store, totals = hot_store(grant.tenant_id), delta_totals(grant.tenant_id)
        now_ms = SystemClock().now_ms()
        receipt = ingest_otlp(export, store, totals, now_ms=now_ms, limits=limits)
        metric_metadata(grant.tenant_id).note(described_by(export), now_ms=now_ms)
    except IngestError as error:
        return _failure(error.detail, status_of(error), kind)
    return HttpResponse(export_response(receipt, kind), content_type=kind)
