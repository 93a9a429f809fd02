"""The HTTP API of Prometheus, for Grafana, promtool and any client that speaks it."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from alertsite.core.clock import SystemClock, from_datetime
from alertsite.core.durations import parse_duration_ms
from alertsite.core.errors import InvalidDuration, InvalidParameter, PlatformError
from alertsite.core.labels import LabelSet
from alertsite.web.credentials import READ, Grant
from alertsite.web.plain import for_tenant
from rules.api import ingestion
from rules.api.prometheus_json import (
    failure,
    instant_data,
    label_names,
    label_values,
    limited,
    range_data,
    success,
)
from rules.language.format import format_expr
from rules.language.frames import QueryRange
from rules.language.parser import parse
from rules.services.listing import alerts_of, groups_of
from rules.services.querying import DEFAULT_LOOKBACK_MS, DEFAULT_TIMEOUT_S, QueryTerms, TenantQueries
from rules.services.stores import metric_metadata

COMPATIBLE_WITH: Final = "3.5.0"
"""The release of Prometheus whose API this is; clients decide by it what to ask for."""
MAX_TIME_S: Final = 9_223_372_036
TRUNCATED: Final = "results truncated due to limit"

_methods = require_http_methods(["GET", "POST"])


class Parameters:
    """Query and form parameters, read as Prometheus reads them."""

    def __init__(self, request: HttpRequest, now_ms: int) -> None:
        self._sources: list[QueryDict] = [request.POST, request.GET]
        self.now_ms = now_ms

    def text(self, name: str) -> str:
        """The parameter's first value, or nothing."""
        return next((str(source[name]) for source in self._sources if name in source), "")

    def texts(self, name: str) -> list[str]:
        """Every value of the parameter."""
        return [str(value) for source in self._sources for value in source.getlist(name)]

    def moment(self, name: str, default: int | None = None) -> int:
        """Milliseconds of a time given as RFC 3339 or as Unix seconds; now without a default."""
        text = self.text(name)
        if not text:
            return self.now_ms if default is None else default
        try:
            parsed = float(text)
        except ValueError:
            return _rfc3339(name, text)
        if not math.isfinite(parsed) or abs(parsed) > MAX_TIME_S:
            raise InvalidParameter(name, text, "RFC 3339 or Unix seconds")
        return round(parsed * 1000)

    def duration(self, name: str, default_ms: int | None = None) -> int:
        """Milliseconds of a duration given as `1m` or as seconds."""
        text = self.text(name)
        if not text and default_ms is not None:
            return default_ms
        try:
            found = float(text)
        except ValueError:
            return _notation(name, text)
        if not math.isfinite(found) or abs(found) > MAX_TIME_S:
            raise InvalidParameter(name, text, "a duration such as 1m, or seconds")
        return round(found * 1000)

    def count(self, name: str) -> int:
        """A count that is not negative; 0 when it is not given."""
        text = self.text(name)
        if text and not text.isdigit():
            raise InvalidParameter(name, text, "a number that is not negative")
        return int(text or 0)

    def bound(self, name: str) -> int:
        """A whole number, where a negative one is no bound; -1 when it is not given."""
        text = self.text(name) or "-1"
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise InvalidParameter(name, text, "a number")
        return int(text)

    def terms(self) -> QueryTerms:
        """Timeout and lookback."""
        timeout_ms = self.duration("timeout", round(DEFAULT_TIMEOUT_S * 1000))
        lookback_ms = self.duration("lookback_delta", DEFAULT_LOOKBACK_MS)
        if timeout_ms <= 0 or lookback_ms <= 0:
            raise InvalidParameter("timeout, lookback_delta", [timeout_ms, lookback_ms], "positive durations")
        return QueryTerms(timeout_ms / 1000, lookback_ms)


def _rfc3339(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidParameter(name, text, "RFC 3339 or Unix seconds")
    return from_datetime(moment)


def _notation(name: str, text: str) -> int:
    try:
        return parse_duration_ms(text)
    except InvalidDuration:
        raise InvalidParameter(name, text, "a duration such as 1m, or seconds") from None


@_methods
@for_tenant(READ, failure)
def query(request: HttpRequest, grant: Grant) -> HttpResponse:
    """One expression at one time."""
    now_ms = SystemClock().now_ms()
    asked = Parameters(request, now_ms)
    at_ms, limit = asked.moment("time"), asked.count("limit")
    result = TenantQueries(grant.tenant_id, now_ms).instant(asked.text("query"), at_ms, asked.terms())
    data = instant_data(result, at_ms)
    cut = [TRUNCATED] if limited(data, limit) else []
    return success(data, [*result.warnings, *cut], result.infos)


@_methods
@for_tenant(READ, failure)
def query_range(request: HttpRequest, grant: Grant) -> HttpResponse:
    """One expression over a range."""
    now_ms = SystemClock().now_ms()
    asked = Parameters(request, now_ms)
    for name in ("start", "end", "step"):
        if not asked.text(name):
            raise InvalidParameter(name, "", "a value: it is not optional")
    span = QueryRange(asked.moment("start"), asked.moment("end"), asked.duration("step"))
    limit = asked.count("limit")
    if span.end_ms < span.start_ms:
        raise InvalidParameter("end", asked.text("end"), "a time not before start")
    if span.step_ms <= 0:
        raise InvalidParameter("step", asked.text("step"), "a positive duration")
    result = TenantQueries(grant.tenant_id, now_ms).over_range(asked.text("query"), span, asked.terms())
    data = range_data(result)
    cut = [TRUNCATED] if limited(data, limit) else []
    return success(data, [*result.warnings, *cut], result.infos)


@_methods
@for_tenant(READ, failure)
def series(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Label sets that match any of the selectors `match[]`."""
    asked = Parameters(request, SystemClock().now_ms())
    if not asked.texts("match[]"):
        raise InvalidParameter("match[]", "", "at least one series selector")
    return _listed([dict(labels) for labels in _matching(asked, grant)], asked.count("limit"))


@_methods
@for_tenant(READ, failure)
def labels(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Names of labels."""
    asked = Parameters(request, SystemClock().now_ms())
    return _listed(label_names(_matching(asked, grant)), asked.count("limit"))


@_methods
@for_tenant(READ, failure)
def values(request: HttpRequest, grant: Grant, name: str) -> HttpResponse:
    """Values of one label."""
    asked = Parameters(request, SystemClock().now_ms())
    return _listed(label_values(_matching(asked, grant), unquote(name)), asked.count("limit"))


def _matching(asked: Parameters, grant: Grant) -> list[LabelSet]:
    """Label sets that match any of the selectors; of every series when there is none."""
    return TenantQueries(grant.tenant_id, asked.now_ms).series(asked.texts("match[]"), asked.moment("start"))


def _listed(rows: list[Any], limit: int) -> HttpResponse:
    if limit and len(rows) > limit:
        return success(rows[:limit], [TRUNCATED])
    return success(rows)


@_methods
@for_tenant(READ, failure)
def rules(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Rule groups with their rules and alerts."""
    kind = Parameters(request, 0).text("type")
    if kind not in {"", "alert", "record"}:
        raise InvalidParameter("type", kind, "alert or record")
    return success({"groups": groups_of(grant.tenant_id, kind)})


@_methods
@for_tenant(READ, failure)
def alerts(request: HttpRequest, grant: Grant) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """Active alerts."""
    return success({"alerts": alerts_of(grant.tenant_id)})


@_methods
@for_tenant(READ, failure)
def metadata(request: HttpRequest, grant: Grant) -> HttpResponse:
    """Type, help and unit of metrics, as far as senders told. One entry a metric, the newest."""
    asked = Parameters(request, 0)
    limit = asked.bound("limit")
    asked.bound("limit_per_metric")  # one is what there is
    found = metric_metadata(grant.tenant_id).read(asked.text("metric"))
    shown = found if limit < 0 else found[:limit]
    return success({one.metric: [{"type": one.type, "help": one.help, "unit": one.unit}] for one in shown})


@_methods
@for_tenant(READ, failure)
def build_info(request: HttpRequest, grant: Grant) -> HttpResponse:  # noqa: ARG001 (the interface of a view)
    """Which Prometheus this answers like."""
    facts = {"version": COMPATIBLE_WITH, "application": "alertsite"}
    return success(facts | dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), ""))


@csrf_exempt
@_methods
def format_query(request: HttpRequest) -> HttpResponse:
    """An expression in canonical notation. It touches no tenant's data."""
    try:
        return success(format_expr(parse(Parameters(request, 0).text("query"))))
    except PlatformError as error:
        return failure(error)


urlpatterns = [
    path("query", query),
    path("query_range", query_range),
    path("series", series),
    path("labels", labels),
    path("label/<str:name>/values", values),
    path("rules", rules),
    path("alerts", alerts),
    path("metadata", metadata),
    path("status/buildinfo", build_info),
    path("format_query", format_query),
    path("write", ingestion.remote_write),
]
