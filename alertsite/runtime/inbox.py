"""A webhook receiver: a small HTTP server on a free loopback port that keeps the JSON it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY_BYTES = 1_000_000


class Inbox:
    """What has arrived so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._arrived: list[dict[str, Any]] = []

    def put(self, document: dict[str, Any]) -> None:
        """Keep one document."""
        self._arrived.append(document)

    def arrived(self) -> list[dict[str, Any]]:
        """Every document, oldest first."""
        return list(self._arrived)


class InboxServer(ThreadingHTTPServer):
    """The server of one inbox."""

    inbox: Inbox


class InboxHandler(BaseHTTPRequestHandler):
    """Answers 204 to a JSON object, 400 to anything else, 413 to what is too long."""

    server: InboxServer

    def do_POST(self) -> None:
        """Keep the body."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self.send_error(413)
            return
        try:
            document = json.loads(self.rfile.read(length))
        except ValueError:
            document = None
        if not isinstance(document, dict):
            self.send_error(400)
            return
        self.server.inbox.put(document)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the interface of the base class)
        """Say nothing: the terminal belongs to the cluster."""


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    """Serve until the block ends."""
    with InboxServer(("127.0.0.1", 0), InboxHandler) as server:
        server.inbox = Inbox(f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, name="inbox")
        thread.start()
        try:
            yield server.inbox
        finally:
            server.shutdown()
            thread.join()
