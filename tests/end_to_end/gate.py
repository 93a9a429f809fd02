"""A door before a simulator that can be held shut, so that a worker is killed at a known moment."""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Gate:
    """Passes requests on. While `hold` is set, those that match are done, and their answers are kept back."""

    def __init__(self, behind: str) -> None:
        self._behind = httpx.Client(base_url=behind, timeout=20)
        self._matching = ""
        self._free = threading.Event()
        self.reached = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                gate._pass(self)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

            do_GET = do_POST = do_PATCH = _pass  # noqa: N815 (the base class's names)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold(self, matching: str) -> None:
        """Keep back the answers of requests whose method and path match."""
        self.reached.clear()
        self._free.clear()
        self._matching = matching

    def open(self) -> None:
        """Pass everything on again; who waited for an answer that was kept back is hung up on."""
        self._matching = ""
        self._free.set()

    def close(self) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._behind.close()

    def _pass(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in asked.headers.items() if name.lower() != "host"}
        answer = self._behind.request(asked.command, asked.path, content=body, headers=sent)
        if self._matching and re.match(self._matching, f"{asked.command} {asked.path}"):
            self.reached.set()
            self._free.wait()
            asked.close_connection = True
            return
        asked.send_response(answer.status_code)
        for name in ("Content-Type", "Retry-After"):
            if name in answer.headers:
                asked.send_header(name, answer.headers[name])
        asked.send_header("Content-Length", str(len(answer.content)))
        asked.end_headers()
        asked.wfile.write(answer.content)
