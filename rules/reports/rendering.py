"""Facts to a document to HTML and PDF. Refused: what is larger than a mail should be (`ReportTooLarge`)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from alertsite.core.errors import PlatformError
from rules.reports.document import Document
from rules.reports.facts import Facts, Heading, LevelsFacts, OperationsFacts
from rules.reports.html import to_html
from rules.reports.levels_page import levels_report
from rules.reports.operations import operations_report
from rules.reports.pdf import to_pdf
from rules.reports.quality_page import quality_report
from rules.reports.writing import Writer

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of the HTML and of the PDF, each."""


class ReportTooLarge(PlatformError):
    """The report is larger than a mail should be."""

    code: ClassVar[str] = "report.too_large"

    def __init__(self, size: int) -> None:
        super().__init__(f"the report has {size} bytes, limit {MAX_BYTES}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A report ready to be kept and sent."""

    html: str
    pdf: bytes


def document_of(heading: Heading, facts: Facts) -> Document:
    """The document that tells these facts."""
    if isinstance(facts, OperationsFacts):
        return operations_report(heading, facts)
    if isinstance(facts, LevelsFacts):
        return levels_report(heading, facts)
    return quality_report(heading, facts)


def file_name(kind: str, end: datetime) -> str:
    """What the PDF is called."""
    return f"{kind}-{end:%F}.pdf".replace("_", "-")


def subtitle_of(heading: Heading) -> str:
    """Kind, tenant and period, in words."""
    return Writer(heading).document(()).subtitle


def render(heading: Heading, facts: Facts) -> Rendered:
    """Both forms of a report. The PDF is dated to the end of the period, so that the same facts make the same
    file.
    """
    document = document_of(heading, facts)
    html = to_html(document)
    pdf = to_pdf(document, made_s=int(datetime.fromisoformat(heading.end).timestamp()))
    size = max(len(html.encode()), len(pdf))
    if size > MAX_BYTES:
        raise ReportTooLarge(size)
    return Rendered(html, pdf)
