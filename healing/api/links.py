"""The page behind the link of a request for approval: what is asked, and a form that says who answers.

Opening it changes nothing: programs that look at every link of a mail approve nothing.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import PlatformError
from healing.services import linked
from rules.api.links import POLICY
from rules.api.tokened import TokenView
from rules.services.links import InvalidLink

ANSWERS: Final = {"approve": True, "reject": False}


@extend_schema(exclude=True)
class ApprovalLinkView(TokenView):
    """`/heal/<token>/`: GET shows, POST with name and password answers."""

    throttle_scope = "link"
    parser_classes = (FormParser, MultiPartParser)

    def get(self, request: Request, token: str) -> HttpResponse:  # noqa: ARG002 (DRF's interface)
        return _answered(token, None)

    def post(self, request: Request, token: str) -> HttpResponse:
        return _answered(token, request.data)


def _answered(token: str, form: Any) -> HttpResponse:
    try:
        opened = linked.open_link(token)
    except InvalidLink as error:
        return _page(400, {"fault": str(error)})
    if form is None or form.get("answer") not in ANSWERS:
        return _page(200, {"linked": opened})
    given = linked.Answer(
        str(form.get("username", "")), str(form.get("password", "")), ANSWERS[form["answer"]]
    )
    try:
        linked.answer(opened, given, now=to_datetime(SystemClock().now_ms()))
    except PlatformError as error:
        return _page(403, {"linked": opened, "fault": str(error)})
    return _page(200, {"linked": opened, "outcome": "Approved." if given.approves else "Rejected."})


def _page(status: int, values: dict[str, Any]) -> HttpResponse:
    headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HttpResponse(render_to_string("healing/approve.html", values), status=status, headers=headers)
