"""A stand-in for a Prometheus server: our own engine over a store, behind its HTTP API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from alertsite.core.errors import PlatformError
from rules.api.prometheus_json import instant_data, range_data
from rules.language.engine import EvaluationLimits, evaluate_instant, evaluate_range
from rules.language.frames import QueryRange
from rules.language.plan import plan
from rules.series.protocols import SeriesReader
from tests.fakes.http_server import Arrived, FakeHTTPServer, Reply, http_server

LIMITS = EvaluationLimits()


def _ms(text: str) -> int:
    return round(float(text) * 1000)


def _data(path: str, form: dict[str, str], store: SeriesReader) -> Any:
    if path.endswith("/buildinfo"):
        return {"version": "2.99.0"}
    if path.endswith("/query_range"):
        span = QueryRange(_ms(form["start"]), _ms(form["end"]), _ms(form["step"]))
        return range_data(evaluate_range(plan(form["query"]), store, span, LIMITS))
    at_ms = _ms(form["time"])
    return instant_data(evaluate_instant(plan(form["query"]), store, at_ms, LIMITS), at_ms)


@contextmanager
def prometheus_server(store: SeriesReader) -> Iterator[FakeHTTPServer]:
    def answer(arrived: Arrived) -> Reply:
        try:
            data = _data(arrived.path, dict(parse_qsl(arrived.body.decode())), store)
        except PlatformError as error:
            words = {"status": "error", "errorType": "bad_data", "error": str(error)}
            return Reply(400, body=json.dumps(words).encode())
        return Reply(200, body=json.dumps({"status": "success", "data": data}).encode())

    with http_server() as server:
        server.answer = answer
        yield server
