"""RFC 9457 problem details: the one place that maps error codes to HTTP statuses."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from alertsite.core.errors import PlatformError

CONTENT_TYPE: Final = "application/problem+json"

STATUS_BY_CODE: Final = {
    "not_authenticated": 401,
    "tenant.foreign": 403,
    "scope.missing": 403,
    "conflict": 409,
    "rule.too_many": 409,
    "receiver.no_past_alert": 409,
    "datasource.in_use": 409,
    "receiver.in_use": 409,
    "people.in_use": 409,
    "cloud.unknown_account": 404,
    "cloud.account_disabled": 409,
    "calendar.link": 404,
    "heartbeat.unknown": 404,
    "hook.unknown": 404,
    "ml.no_champion": 409,
    "healing.not_a_person": 403,
    "healing.not_an_owner": 403,
    "healing.vote_refused": 409,
    "healing.nothing_to_run": 409,
    "body.too_large": 413,
    "query.too_expensive": 422,
    "query.execution": 422,
    "query.timeout": 503,
    "series.renumbered": 503,
    "series.contended": 503,
    "ingest.body_too_large": 413,
}
"""Codes whose status is not 400."""


def status_of(error: PlatformError) -> int:
    """The HTTP status of an error."""
    return STATUS_BY_CODE.get(error.code, 400)


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:  # noqa: ARG001 (DRF's interface)
    """DRF's exception handler. None for what is a fault of ours: Django answers 500 and logs it."""
    if isinstance(error, PlatformError):
        return _response(status_of(error), error.code, error.detail, getattr(error, "errors", None))
    if isinstance(error, ValidationError):
        return _response(400, "invalid", "the request is not valid", _by_field(error))
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    errors = error.detail if isinstance(error.detail, dict) else None
    detail = "the request is not valid" if errors else _text(error.detail)
    response = _response(error.status_code, str(error.default_code), detail, errors)
    wait_s = getattr(error, "wait", None)
    if wait_s is not None:  # a throttled request
        response["Retry-After"] = str(int(wait_s) + 1)
    header = getattr(error, "auth_header", None)
    if header:
        response["WWW-Authenticate"] = header
    return response


def _by_field(error: ValidationError) -> dict[str, list[str]]:
    """What a model refused, by field; `__all__` is what concerns the row as a whole."""
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}


def _text(detail: Any) -> str:
    return " ".join(map(str, detail)) if isinstance(detail, list) else str(detail)


def _response(status: int, code: str, detail: str, errors: Any) -> Response:
    problem: dict[str, Any] = {
        "type": f"urn:alertsite:{code}",
        "title": code,
        "status": status,
        "detail": detail,
    }
    if errors:
        problem["errors"] = errors
    return Response(problem, status=status, content_type=CONTENT_TYPE)
