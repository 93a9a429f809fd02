"""Where samples come in: Prometheus remote write and JSON lines.

Senders retry what answers 429 or 5xx and drop what answers 4xx, so samples that can never be stored answer
400.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from alertsite.core.clock import SystemClock
from alertsite.core.errors import PlatformError
from alertsite.web.credentials import INGEST, Grant
from alertsite.web.plain import for_tenant
from alertsite.web.problems import CONTENT_TYPE, status_of
from rules.series.ingest.json_lines import ingest_json_lines
from rules.series.ingest.remote_write import ingest_remote_write
from rules.services.stores import hot_store, metric_metadata


def _as_text(error: PlatformError) -> HttpResponse:
    return HttpResponse(
        f"{error.detail}\n", status=status_of(error), content_type="text/plain; charset=utf-8"
    )


def _as_problem(error: PlatformError) -> HttpResponse:
    status = status_of(error)
    problem = {
        "type": f"urn:alertsite:{error.code}",
        "title": error.code,
        "status": status,
        "detail": error.detail,
    }
    return JsonResponse(problem, status=status, content_type=CONTENT_TYPE)


@require_POST
@for_tenant(INGEST, _as_text)
def remote_write(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Remote write 1.0: a snappy block of protobuf. 204 when every sample was stored."""
    encoding = request.headers.get("Content-Encoding", "snappy")
    if encoding != "snappy":
        return HttpResponse(f"Content-Encoding is {encoding!r}, accepts 'snappy'\n", status=415)
    kind = request.headers.get("Content-Type", "application/x-protobuf")
    if "io.prometheus.write.v2" in kind or not kind.startswith("application/x-protobuf"):
        return HttpResponse(
            f"Content-Type is {kind!r}, accepts application/x-protobuf;proto=prometheus.WriteRequest\n",
            status=415,
        )
    receipt = ingest_remote_write(
        request.body,
        hot_store(grant.tenant_id),
        now_ms=SystemClock().now_ms(),
        metadata=metric_metadata(grant.tenant_id),
    )
    if not receipt.refused:
        return HttpResponse(status=204)
    return HttpResponse(f"{receipt.summary()}\n", status=400)


@require_POST
@for_tenant(INGEST, _as_problem)
def json_lines(request: HttpRequest, grant: Grant) -> HttpResponse:
    """One JSON object a line: labels and samples. Answers how many were accepted and refused."""
    receipt = ingest_json_lines(request.body, hot_store(grant.tenant_id), now_ms=SystemClock().now_ms())
    answer = {"accepted": receipt.accepted, "refused": dict(receipt.refused)}
    return JsonResponse(answer, status=400 if receipt.refused else 200)
