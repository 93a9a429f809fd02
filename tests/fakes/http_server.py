"""An HTTP server on a free loopback port that keeps what it gets and answers as it is told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Arrived:
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    missing: int = 0
    """How many bytes of the body are announced and never sent."""
    silent: bool = False
    """No answer at all, until the server stops."""
    endless: bool = False
    """The body goes on until the other side hangs up."""


class FakeHTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrived: list[Arrived] = []
        self.reply = Reply()
        self.answer: Callable[[Arrived], Reply] | None = None
        """Makes the reply where one for all requests is not enough."""
        self.stopping = threading.Event()
        self.scheme = "http"

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.server_port}/hook"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeHTTPServer

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        arrived = Arrived(self.path, dict(self.headers), body)
        self.server.arrived.append(arrived)
        reply = self.server.reply if self.server.answer is None else self.server.answer(arrived)
        if reply.silent:
            self.server.stopping.wait()
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if not reply.endless:
            self.send_header("Content-Length", str(len(reply.body) + reply.missing))
        self.end_headers()
        self.wfile.write(reply.body)
        while reply.endless and not self.server.stopping.is_set():
            self.wfile.write(b"x" * 4096)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def http_server(context: ssl.SSLContext | None = None) -> Iterator[FakeHTTPServer]:
    with FakeHTTPServer() as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.scheme = "https"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
