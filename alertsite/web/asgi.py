"""Django over ASGI with the whole of a request in one thread.

Django's own handler starts a thread for each request and crosses to it and back for every middleware that is
not asynchronous: 4 ms of a 9 ms request, measured. Our views are synchronous throughout, so a pool of lasting
threads, each with its database connection, serves them with one crossing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """The ASGI application of synchronous views. Static files are small enough to be sent whole."""

    def __init__(self, threads: int) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise ValueError(f"connection type is {scope['type']!r}, accepts 'http'")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return  # the client went away before it had sent its request
        loop = asyncio.get_running_loop()
        response = await loop.run_in_executor(self._pool, copy_context().run, self._serve, scope, body)
        await self.send_response(response, send)

    def _serve(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        with body:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=type(self), scope=scope)
            request, refusal = self.create_request(scope, body)
            response: Any = refusal if request is None else self.get_response(request)
            try:
                return _whole(response)
            finally:
                response.close()  # here, so that it is this thread's database connection that is let go


def _whole(response: Any) -> HttpResponseBase:
    if not response.streaming:
        return response  # type: ignore[no-any-return]
    return HttpResponse(response.getvalue(), status=response.status_code, headers=response.headers)
