"""Documents that were made earlier, as answers: pages that run nothing, and files."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpResponse

PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""The page is styled and drawn from within, and runs nothing."""


def page_response(html: str) -> HttpResponse:
    """A page that needs nothing from elsewhere. Not found while it is empty."""
    if not html:
        raise Http404
    return HttpResponse(html, headers={"Content-Security-Policy": PAGE_POLICY})


def pdf_response(pdf: bytes | None, name: str) -> HttpResponse:
    """A PDF, as a file of this name. Not found while there is none."""
    if pdf is None:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(bytes(pdf), content_type="application/pdf", headers=headers)
