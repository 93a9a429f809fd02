"""Rule files over REST: import, with a report for each rule, and export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from alertsite.web.views import TenantView
from rules.language.export import FORMATS
from rules.language.rulefile import MAX_FILE_CHARACTERS
from rules.services.authoring import Author
from rules.services.exporting import export_rules
from rules.services.importing import ImportReport, Outcome, RuleFile, import_files

_CONTENT_TYPES: Final = {
    "prometheus": "application/yaml",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "terraform": "text/plain; charset=utf-8",
}


class TextParser(BaseParser):
    """Any body as one UTF-8 text."""

    media_type = "*/*"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,  # noqa: ARG002 (DRF's interface)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002 (DRF's interface)
    ) -> dict[str, str]:
        """The text, bounded in length."""
        return {"text": decoded(stream.read(MAX_FILE_CHARACTERS + 1))}


def decoded(body: bytes) -> str:
    """A body as text; what is too long or no UTF-8 answers 400."""
    if len(body) > MAX_FILE_CHARACTERS:
        raise ParseError(f"the body has more than {MAX_FILE_CHARACTERS} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ParseError(f"the body is not UTF-8: {error}") from None


class ImportView(TenantView):
    """Take Prometheus rule files: one as the body, or several as parts of a form."""

    parser_classes = [MultiPartParser, TextParser]

    @extend_schema(
        request={"application/yaml": OpenApiTypes.STR, "multipart/form-data": OpenApiTypes.OBJECT},
        responses=OpenApiTypes.OBJECT,
    )
    def post(self, request: Request) -> Response:
        """What became of each rule: taken, changed in meaning and how, or refused and why."""
        author = Author(self.actor, self.now)
        return Response(_report(import_files(self.grant.tenant_id, _files(request), author)))


def _files(request: Request) -> list[RuleFile]:
    if not request.FILES:
        assert isinstance(request.data, dict)  # both parsers make one
        return [RuleFile("body", request.data.get("text", ""))]
    return [
        RuleFile(part.name or name, decoded(part.read(MAX_FILE_CHARACTERS + 1)))
        for name, parts in request.FILES.lists()
        for part in parts
        if isinstance(part, UploadedFile)
    ]


def _report(report: ImportReport) -> dict[str, Any]:
    counts = Counter(rule.outcome for rule in report.rules)
    return {
        **{outcome.value: counts[outcome] for outcome in Outcome},
        "rules": [asdict(rule) for rule in report.rules],
    }


class ExportView(TenantView):
    """Every rule of the tenant as text for other tools."""

    @extend_schema(
        parameters=[OpenApiParameter("format_", enum=list(FORMATS), default="prometheus")],
        responses=OpenApiTypes.STR,
    )
    def get(self, request: Request) -> HttpResponse:
        """Prometheus YAML, JSON, CSV or Terraform."""
        form = request.query_params.get("format_", "prometheus")
        return HttpResponse(export_rules(self.grant.tenant_id, form), content_type=_CONTENT_TYPES[form])
