"""The page behind a link of a message: its alerts and one button. Works without a login and without scripts.

Opening it changes nothing: programs that look at every link of a mail do no harm.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import get_language_from_request
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from alertsite.core.clock import SystemClock, to_datetime
from rules.api.tokened import TokenView
from rules.notify.pagewording import ACTIONS, WORDS
from rules.services import acting
from rules.services.acting import LinkedMessage
from rules.services.links import InvalidLink

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"


@extend_schema(exclude=True)
class LinkView(TokenView):
    """`/act/<token>/`: GET shows, POST acts."""

    throttle_scope = "link"

    def get(self, request: Request, token: str) -> HttpResponse:
        return self._answer(request, token, acts=False)

    def post(self, request: Request, token: str) -> HttpResponse:
        return self._answer(request, token, acts=True)

    def _answer(self, request: Request, token: str, *, acts: bool) -> HttpResponse:
        try:
            linked = acting.open_link(token)
        except InvalidLink as error:
            return _page(request, 400, {"fault": WORDS[_language(request)].faults[error.reason]})
        changed = acting.act(linked, now=to_datetime(SystemClock().now_ms())) if acts else None
        return _page(request, 200, _shown(request, linked, changed))


def _language(request: Request) -> str:
    return "fr" if get_language_from_request(request._request).startswith("fr") else "en"


def _shown(request: Request, linked: LinkedMessage, changed: int | None) -> dict[str, Any]:
    words = WORDS[_language(request)]
    button, effect = ACTIONS[words.language][linked.action]
    alerts = acting.shown_alerts(linked)
    outcome = None if changed is None else words.done.format(count=changed) if changed else words.unchanged
    return {
        "button": button,
        "effect": effect,
        "outcome": outcome,
        "alerts": [
            {
                "name": alert.name,
                "state": words.states[alert.state],
                "labels": alert.labels,
                "annotations": alert.annotations,
            }
            for alert in alerts
        ],
        "more": len(linked.alert_ids) - len(alerts),
    }


def _page(request: Request, status: int, values: dict[str, Any]) -> HttpResponse:
    text = render_to_string("rules/act.html", {"words": WORDS[_language(request)], **values})
    headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Vary": "Accept-Language",
    }
    return HttpResponse(text, status=status, headers=headers)
