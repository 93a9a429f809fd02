"""Alertmanager's API, version 2: Prometheus servers send alerts here, amtool lists and silences them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from alertsite.core.clock import SystemClock, to_datetime
from alertsite.core.errors import InvalidParameter, PlatformError
from alertsite.web.credentials import INGEST, READ, WRITE, Grant, MissingScope, NotAuthenticated
from alertsite.web.plain import for_tenant
from rules.models import Origin, Receiver, Silence
from rules.services import alertstatus, configuring, intake, silencing
from rules.services.authoring import Author
from rules.services.intake import InvalidAlert, Posted, Sender
from rules.services.nudging import nudge_after_commit
from rules.services.routing import matchers_of
from rules.services.silencing import SilenceDraft

COMPATIBLE_WITH: Final = "0.28.0"
"""The release of Alertmanager whose API this is."""
MAX_URL: Final = 2000
MAX_BODY: Final = 16 * 1024 * 1024
_STARTED: Final = to_datetime(SystemClock().now_ms())


def failure(error: PlatformError) -> HttpResponse:
    """An error as Alertmanager answers it: a JSON string."""
    status = 401 if isinstance(error, NotAuthenticated) else 403 if isinstance(error, MissingScope) else 400
    if error.code == "tenant.foreign":
        status = 403
    response = JsonResponse(str(error), safe=False, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="alertsite"'
    return response


def by_method(**handlers: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """One address, a view for each method."""

    @csrf_exempt
    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        handler = handlers.get(str(request.method).lower())
        if handler is None:
            return HttpResponse(status=405, headers={"Allow": ", ".join(map(str.upper, handlers))})
        return handler(request, *args, **kwargs)

    view.__wrapped__ = next(iter(handlers.values()))  # type: ignore[attr-defined] # what it needs, for the tests
    return view


def _now() -> datetime:
    return to_datetime(SystemClock().now_ms())


def _document(request: HttpRequest) -> Any:
    try:
        body = request.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise InvalidAlert(f"the body is longer than {MAX_BODY} bytes")
        return json.loads(body)
    except ValueError as error:
        raise InvalidAlert(f"the body is no JSON: {error}") from None


@for_tenant(INGEST, failure)
def post_alerts(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Take alerts. Those that are not valid are named in the answer, 400; the others are stored."""
    document = _document(request)
    if not isinstance(document, list) or len(document) > intake.MAX_ALERTS_A_REQUEST:
        raise InvalidAlert(f"the body is a list of at most {intake.MAX_ALERTS_A_REQUEST} alerts")
    taken, refused = [], []
    for position, item in enumerate(document):
        try:
            taken.append(posted_from(item))
        except PlatformError as error:
            refused.append(f"alert {position}: {error}")
    sender = Sender(Origin.FOREIGN, grant.actor)
    if taken and intake.take(grant.tenant_id, taken, sender, now=_now()).groups:
        nudge_after_commit()
    if refused:
        raise InvalidAlert("; ".join(refused[:20]))
    return HttpResponse(status=200)


def posted_from(item: Any) -> Posted:
    """One alert of the body.

    Raises
    ------
    InvalidAlert
        With the field that is wrong.
    """
    if not isinstance(item, dict):
        raise InvalidAlert(f"an alert is an object, this is {str(item)[:100]!r}")
    labels, annotations = _texts(item, "labels"), _texts(item, "annotations")
    starts, ends = _moment(item, "startsAt"), _moment(item, "endsAt")
    if starts and ends and ends < starts:
        raise InvalidAlert(f"endsAt {ends.isoformat()} is before startsAt {starts.isoformat()}")
    url = item.get("generatorURL", "")
    return Posted(
        intake.checked_labels(labels), annotations, starts, ends, url if isinstance(url, str) else ""
    )


def _texts(item: dict[str, Any], name: str) -> dict[str, str]:
    found = item.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise InvalidAlert(f"{name} is an object of texts")
    if any(len(value) > intake.MAX_TEXT or "\x00" in value for value in found.values()):
        raise InvalidAlert(f"{name} has a value with a NUL or of more than {intake.MAX_TEXT} characters")
    return found


def _moment(item: dict[str, Any], name: str) -> datetime | None:
    text = item.get(name)
    if text in (None, "") or (isinstance(text, str) and text.startswith("0001-01-01")):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidAlert(f"{name} is {str(text)[:100]!r}, accepts RFC 3339")
    return moment


def _wanted(request: HttpRequest) -> alertstatus.Wanted:
    """What the query asks for; what it does not name is included, as in Alertmanager."""

    def flag(name: str) -> bool:
        return request.GET.get(name, "true") != "false"

    return alertstatus.Wanted(
        matchers=matchers_of(request.GET.getlist("filter")),
        receiver=request.GET.get("receiver", ""),
        active=flag("active"),
        silenced=flag("silenced"),
        inhibited=flag("inhibited"),
        muted=flag("muted"),
    )


@for_tenant(READ, failure)
def list_alerts(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Alerts that fire, each with what keeps it silent."""
    views = alertstatus.alerts(grant.tenant_id, _wanted(request), now=_now())
    return JsonResponse([gettable(view) for view in views], safe=False)


@for_tenant(READ, failure)
def list_groups(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Alerts that fire, by group."""
    groups = alertstatus.groups(grant.tenant_id, _wanted(request), now=_now())
    return JsonResponse(
        [
            {
                "labels": group.labels,
                "receiver": {"name": group.receiver},
                "alerts": [gettable(view) for view in group.alerts],
            }
            for group in groups
        ],
        safe=False,
    )


def gettable(view: alertstatus.AlertStatus) -> dict[str, Any]:
    """An alert as Alertmanager lists it."""
    alert = view.alert
    began = (alert.fired_at or alert.active_since).isoformat()
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": began,
        "updatedAt": began,
        "endsAt": (alert.expires_at or _now() + timedelta(minutes=5)).isoformat(),
        "fingerprint": f"{view.fingerprint:016x}",
        "receivers": [{"name": name} for name in view.receivers],
        "status": {
            "state": view.state,
            "silencedBy": view.silenced_by,
            "inhibitedBy": view.inhibited_by,
            "mutedBy": view.muted_by,
        },
        "generatorURL": alert.source_url,
    }


@for_tenant(READ, failure)
def list_silences(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Silences, those that are over for a while too."""
    wanted = {matcher.text for matcher in matchers_of(request.GET.getlist("filter"))}
    now = _now()
    found = [
        row
        for row in alertstatus.recent_silences(grant.tenant_id, now=now)
        if wanted <= {matcher.text for matcher in matchers_of(row.matchers)}
    ]
    return JsonResponse([silence_json(row, now) for row in found], safe=False)


def silence_json(silence: Silence, now: datetime) -> dict[str, Any]:
    """A silence as Alertmanager lists it."""
    return {
        "id": str(silence.pk),
        "status": {"state": alertstatus.silence_state(silence, now)},
        "updatedAt": silence.updated_at.isoformat(),
        "startsAt": silence.starts_at.isoformat(),
        "endsAt": silence.ends_at.isoformat(),
        "createdBy": silence.author,
        "comment": silence.comment,
        "matchers": [
            {
                "name": matcher.name,
                "value": matcher.value,
                "isRegex": "~" in matcher.op.value,
                "isEqual": matcher.op.value.startswith("="),
            }
            for matcher in matchers_of(silence.matchers)
        ],
    }


@for_tenant(WRITE, failure)
def post_silence(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Make or change a silence. Its author is the credential, whatever `createdBy` says."""
    item = _document(request)
    if not isinstance(item, dict):
        raise InvalidAlert("a silence is an object")
    draft = _draft(item)
    author = Author(grant.actor, _now())
    if item.get("id"):
        silence = _silence(grant, str(item["id"]))
        if silence is None:
            return JsonResponse("silence not found", safe=False, status=404)
        silence = silencing.change_silence(silence, draft, author)
    else:
        silence = silencing.create_silence(grant.tenant_id, draft, author)
    return JsonResponse({"silenceID": str(silence.pk)})


def _draft(item: dict[str, Any]) -> SilenceDraft:
    starts, ends = _moment(item, "startsAt"), _moment(item, "endsAt")
    if starts is None or ends is None:
        raise InvalidParameter("startsAt, endsAt", [item.get("startsAt"), item.get("endsAt")], "RFC 3339")
    posted = item.get("matchers")
    if not isinstance(posted, list) or not all(isinstance(one, dict) for one in posted):
        raise InvalidParameter("matchers", posted, "a list of objects")
    comment = item.get("comment")
    return SilenceDraft(
        matchers=[alertstatus.matcher_text(one) for one in posted],
        starts_at=starts,
        ends_at=ends,
        comment=comment if isinstance(comment, str) else "",
    )


def _silence(grant: Grant, text: str) -> Silence | None:
    try:
        wanted = UUID(text)
    except ValueError:
        return None
    found: Silence | None = Silence.objects.for_tenant(grant.tenant_id).filter(pk=wanted).first()
    return found


@for_tenant(READ, failure)
def get_silence(request: HttpRequest, grant: Grant, silence_id: UUID) -> HttpResponse:  # noqa: ARG001
    """One silence."""
    silence = _silence(grant, str(silence_id))
    if silence is None:
        return JsonResponse("silence not found", safe=False, status=404)
    return JsonResponse(silence_json(silence, _now()))


@for_tenant(WRITE, failure)
def delete_silence(request: HttpRequest, grant: Grant, silence_id: UUID) -> HttpResponse:  # noqa: ARG001
    """End a silence."""
    silence = _silence(grant, str(silence_id))
    if silence is None:
        return JsonResponse("silence not found", safe=False, status=404)
    silencing.expire_silence(silence, Author(grant.actor, _now()))
    return HttpResponse(status=200)


@for_tenant(READ, failure)
def list_receivers(request: HttpRequest, grant: Grant) -> HttpResponse:  # noqa: ARG001 (Django's interface)
    """Names of the receivers."""
    names = Receiver.objects.for_tenant(grant.tenant_id).values_list("name", flat=True)
    return JsonResponse([{"name": name} for name in names], safe=False)


@for_tenant(READ, failure)
def status(request: HttpRequest, grant: Grant) -> HttpResponse:  # noqa: ARG001 (Django's interface)
    """Who answers. There is no gossip: PostgreSQL is the cluster; routing is edited here, not in a file."""
    return JsonResponse(
        {
            "cluster": {"status": "disabled", "peers": [], "name": ""},
            "versionInfo": {
                "version": COMPATIBLE_WITH,
                "revision": "alertsite",
                "branch": "",
                "buildUser": "",
                "buildDate": "",
                "goVersion": "",
            },
            "config": {"original": configuring.export_alertmanager(grant.tenant_id)},
            "uptime": _STARTED.isoformat(),
        }
    )


urlpatterns = [
    path("alerts", by_method(get=list_alerts, post=post_alerts)),
    path("alerts/groups", by_method(get=list_groups)),
    path("silences", by_method(get=list_silences, post=post_silence)),
    path("silence/<uuid:silence_id>", by_method(get=get_silence, delete=delete_silence)),
    path("receivers", by_method(get=list_receivers)),
    path("status", by_method(get=status)),
]
